# Whoever guesses at codes, tickets, tokens and passwords is slowed, and then not looked at; others
# are not kept out by that.
use strict;
use warnings;
use lib 'perl';
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $a = new_sync_node('sender', conf => <<'CONF');
sync.max_pending = 16
sync.max_connections = 8
sync.queue_timeout = 2min
CONF
my $port = $a->{sync_port};

# Sends a request from an address of this machine and returns status, seconds and the whole answer.
sub ask
{
	my ($from, $path, $body, @headers) = @_;
	my $began = time;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, LocalAddr => $from) or die "$from: $!";
	my $method = defined $body ? 'POST' : 'GET';
	$body //= '';
	$path = "/sync/v1/$path" unless $path =~ m{^/};
	syswrite($socket, join("\r\n", "$method $path HTTP/1.1", 'Host: x', 'Connection: close',
			'Content-Length: ' . length $body, @headers, '', $body));
	my $answer = '';
	while (sysread($socket, my $chunk, 65536)) { $answer .= $chunk }
	my ($status) = $answer =~ m{\AHTTP/1.1 (\d+)};
	return { status => $status // 'none', seconds => time - $began, answer => $answer };
}

sub guess { my ($from, @headers) = @_; return ask($from, 'connect', '{"code": "ABCDEFGH"}', @headers); }

# Many guesses at the same time, one from each address named; returns how often each status came.
sub guesses
{
	my (@from) = @_;
	my (@children, %seen);
	foreach my $from (@from)
	{
		pipe(my $in, my $out) or die;
		my $pid = fork // die "fork: $!";
		if ($pid == 0)
		{
			syswrite($out, guess($from)->{status});
			POSIX::_exit(0);
		}
		close $out;
		push @children, [ $pid, $in ];
	}
	foreach (@children) { sysread($_->[1], my $status, 10); $seen{$status}++; waitpid($_->[0], 0); }
	return \%seen;
}

# A few are slow, and slower with each.
my @slow = map { guess('127.0.0.1') } 1 .. 5;
is(join(' ', map { $_->{status} } @slow), '401 401 401 401 401', 'wrong codes are refused');
cmp_ok($slow[0]{seconds}, '>=', 1, 'the first is answered after a second');
cmp_ok($slow[3]{seconds}, '>=', 2, 'the fourth after two');
cmp_ok($slow[4]{seconds}, '>=', 4, 'the fifth after four');
ok(log_contains($a, qr/sync peer refused: peer=127\.0\.0\.1:\d+ reason="unknown code" wrong_guesses=5/), 'the log counts them');

# So is whatever else could be guessed at.
is(ask('127.0.0.1', 'connect', '{"token": "nonsense"}')->{status}, 401, 'a token');
is(ask('127.0.0.1', 'tables', undef, 'Authorization: Bearer ' . 'x' x 64)->{status}, 401, 'a ticket');
ok(log_contains($a, qr/reason="unknown ticket" wrong_guesses=[67]/), 'counts, too');

# And the hash of a token, with which sites ask for their connection; one that there is, with
# whatever else, is none.
my $known = $a->safe_psql('postgres', q(SELECT sync_create_connection('site', 'sender', 'https://site.example', run_as => current_user) IS NULL;
	SELECT auth_token_hash FROM sync_connections));
$known =~ s/.*\n//;
my $guesses = 0;
foreach my $site (
	[ 'verify-connection', '"direction": "receiver"' ],
	[ 'update-status', '"direction": "receiver", "status": "suspended"' ],
	[ 'delete-connection', '"direction": "receiver"' ],
	[ 'connection-status', '"direction": "receiver"' ],
	map { [ "/phoenix_kit/sync/api/$_", '"sender_url": "https://other.example", "receiver_url": "x", "status": "suspended"' ] }
	qw(verify-connection update-status delete-connection get-connection-status))
{
	my ($path, $fields) = @$site;
	my $offset = -s $a->logfile;
	my $from = '127.0.0.' . (100 + $guesses++);
	my $guess = ask($from, $path, sprintf('{%s, "auth_token_hash": "%s"}', $fields, 'a' x 64), 'Content-Type: application/json');
	is($guess->{status}, 404, "$path: the hash of no token");
	ok(log_contains($a, qr/peer=\Q$from\E:\d+ reason="unknown token" wrong_guesses=1\n/, $offset), "$path: counts");
	$offset = -s $a->logfile;
	my $other = ask($from, $path =~ /^delete|^update|connection-status/ ? '/sync/api/verify-connection' : $path,
		sprintf('{"direction": "receiver", "sender_url": "https://other.example", "auth_token_hash": "%s"}', $known), 'Content-Type: application/json');
	ok(!log_contains($a, qr/wrong_guesses/, $offset), "one that is known does not ($other->{status})");
}

# Who only asks has guessed nothing.
is(ask('127.0.0.7', 'tables')->{status}, 401, 'a request without a ticket');
ok(log_contains($a, qr/peer=127\.0\.0\.7:\d+ reason="no ticket"\n/), 'is refused, and not counted');

# Many, and no more is looked at: also not a right one of that address.
my $seen = guesses(('127.0.0.1') x 20);
ok($seen->{401}, 'more guesses: some are looked at');
wait_for(sub { guess('127.0.0.1')->{status} eq '429' }, 'the others are refused as they are');
ok(log_contains($a, qr/LOG: .*sync looks at no code, token or password from 127\.0\.0\.1 for a while/), 'which is in the log');
is(scalar(() = slurp_file($a->logfile) =~ /no code, token or password from 127/g), 1, 'once');
my $code = new_code($a);
my $refused = ask('127.0.0.1', 'connect', qq({"code": "$code"}));
is($refused->{status}, 429, 'a right code of that address');
like($refused->{answer}, qr/Retry-After: \d+\r\n.*"sqlstate":"53400".*too many wrong/s, 'is told why, and when to come back');
cmp_ok($refused->{seconds}, '<', 3, 'at once: no worker is kept');
is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', 'it was not spent');
my $right = ask('127.0.0.2', 'connect', qq({"code": "$code"}));
is($right->{status}, 200, 'from another address it is right');
is(ask('127.0.0.1', '')->{status}, 200, 'what needs no secret is answered as ever');

# From ever other addresses: everyone waits a little then, and nobody is kept out.
$seen = guesses(map { "127.0.1.$_" } 1 .. 45);
is($seen->{401}, 45, 'guesses from 45 addresses');
$right = ask('127.0.0.3', 'connect', '{"code": "' . new_code($a) . '"}');
is($right->{status}, 200, 'a right one from yet another');
cmp_ok($right->{seconds}, '>=', 0.2, 'is slowed');

# The address is the one that a trusted proxy names, and only such a one.
my $offset = -s $a->logfile;
is(guess('127.0.0.4', 'X-Forwarded-For: 192.0.2.1')->{status}, 401, 'an address that anyone could have named');
is(guess('127.0.0.4', 'X-Forwarded-For: 192.0.2.2')->{status}, 401, 'another');
ok(log_contains($a, qr/peer=127\.0\.0\.4:\d+ reason="unknown code" wrong_guesses=2/, $offset), 'are those of one peer');
$a->append_conf('postgresql.conf', "sync.trusted_proxies = '127.0.0.4'\n");
$a->reload;
is(ask('127.0.0.4', 'connect', '{"code": "ABCDEFGH"}', 'X-Forwarded-For: 2001:db8::1')->{status}, 401, 'an address that a trusted proxy names');
ok(log_contains($a, qr/peer=127\.0\.0\.4:\d+ reason="unknown code" wrong_guesses=1/, $offset), 'counts for itself');
is(guess('127.0.0.4', 'X-Forwarded-For: 2001:db8::ffff:0:1')->{status}, 401, 'another of the same network');
ok(log_contains($a, qr/peer=127\.0\.0\.4:\d+ reason="unknown code" wrong_guesses=2\n.*wrong_guesses=1\n.*wrong_guesses=2\n/s, $offset), 'counts with it');
is(guess('127.0.0.4', 'X-Forwarded-For: 192.0.2.9', 'X-Forwarded-For: 2001:db8::1')->{status}, 401, 'what its client has sent before it as a header of that name');
ok(log_contains($a, qr/peer=127\.0\.0\.4:\d+ reason="unknown code" wrong_guesses=3/, $offset), 'is not what the proxy says');

# Nor does an address keep others out that only connects, or does not come to the end of a request.
foreach my $case ([ '', 300, 'connections that say nothing' ], [ 'GET /sync', 100, 'halves of requests' ])
{
	my ($bytes, $count, $what) = @$case;
	my @open = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, LocalAddr => '127.0.0.8') } 1 .. $count;
	if (length $bytes) { local $SIG{PIPE} = 'IGNORE'; syswrite($_, $bytes) foreach @open; }
	is(ask('127.0.0.9', '')->{status}, 200, "$what from one address: another is answered");
	close $_ foreach @open;
}

no_leftovers($a, 'in the end');
$a->stop;
done_testing();
