# Whatever is sent to the port, the server answers by the protocol or closes, and goes on.
use strict;
use warnings;
use lib 'perl';
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Socket;
use SyncTest;
use Test::More;
use Time::HiRes qw(time sleep usleep);

my $a = new_sync_node('sender', conf => <<'CONF');
sync.authentication_timeout = 5
sync.idle_timeout = 5s
sync.send_timeout = 2s
sync.queue_timeout = 1s
sync.max_page_rows = 100
sync.max_pending = 16
sync.max_message_size = 64kB
CONF
my $port = $a->{sync_port};
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 1000) i;
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, repeat('x', 100000) FROM generate_series(1, 500) i;
ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
UPDATE big SET v = v || '!';
SQL

sub request
{
	my ($method, $path, %options) = @_;
	my $body = $options{body} // '';
	my $head = "$method /sync/v1/$path HTTP/1.1\r\nHost: x\r\nConnection: " . ($options{connection} || 'close') . "\r\n";
	$head .= "Authorization: Bearer $options{ticket}\r\n" if $options{ticket};
	$head .= "Accept: $options{accept}\r\n" if $options{accept};
	$head .= 'Content-Length: ' . length($body) . "\r\n" if length $body || $method eq 'POST';
	return "$head\r\n$body";
}

sub status_of { my ($answer) = @_; return $answer =~ m{\AHTTP/1.1 (\d+)} ? $1 : 'none'; }

sub ticket { my ($code) = @_; return http_request($port, request('POST', 'connect', body => qq({"code": "$code"}))) =~ /"ticket":"([0-9a-f]{64})"/ ? $1 : undef; }

# ---- before authentication -----------------------------------------------------------------------

is(status_of(http_request($port, request('GET', ''))), 200, 'anyone may ask what is there');
is(status_of(http_request($port, "GET /any/prefix/sync/v1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 200, 'under any prefix');
is(status_of(http_request($port, "HEAD /sync/v1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")), 401, 'HEAD is not GET');
my %strange = (
	'nothing' => [ '', 'none' ],
	'half a request' => [ "GET /sync/v1/ HTTP/1.1\r\nHost:", 'none' ],
	'no HTTP' => [ "hello\r\n\r\n", 400 ],
	'HTTP/3.0' => [ "GET / HTTP/3.0\r\n\r\n", qr/400|505/ ],
	'another path' => [ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404 ],
	'a path with NUL' => [ "GET /sync/v1/\0 HTTP/1.1\r\n\r\n", 400 ],
	'a huge head' => [ "GET /sync/v1/ HTTP/1.1\r\nX: " . ('x' x 100000) . "\r\n\r\n", 431 ],
	'many headers' => [ "GET /sync/v1/ HTTP/1.1\r\n" . ("X: y\r\n" x 10000) . "\r\n", 431 ],
	'a huge body' => [ "POST /sync/v1/connect HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" . ('x' x 1000000), 413 ],
	'a body of 2 GB, announced' => [ "POST /sync/v1/connect HTTP/1.1\r\nContent-Length: 2147483648\r\n\r\nx", 413 ],
	'a negative length' => [ "POST /sync/v1/connect HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400 ],
	'two lengths' => [ "POST /sync/v1/connect HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello", 400 ],
	'broken chunks' => [ "POST /sync/v1/connect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400 ],
	'huge chunks' => [ "POST /sync/v1/connect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", qr/413|400/ ],
	'a body that is no JSON' => [ request('POST', 'connect', body => 'hello'), 400 ],
	'a body that is no object' => [ request('POST', 'connect', body => '[1]'), 400 ],
	'no code' => [ request('POST', 'connect', body => '{}'), 400 ],
	'a code that is a number' => [ request('POST', 'connect', body => '{"code": 5}'), 400 ],
	'deep JSON' => [ request('POST', 'connect', body => '[' x 10000), 400 ],
	'bad UTF-8' => [ request('POST', 'connect', body => "{\"code\": \"\xff\"}"), 400 ],
	'a code with U+0000' => [ request('POST', 'connect', body => '{"code": "A\\u0000"}'), 400 ],
	'an unknown code' => [ request('POST', 'connect', body => '{"code": "ABCDEFGH"}'), 401 ],
	'an SQL code' => [ request('POST', 'connect', body => q({"code": "'; DROP TABLE t; --"})), 401 ],
	'a token' => [ request('POST', 'connect', body => '{"token": "x"}'), 401 ],
	'data without a ticket' => [ request('GET', 'tables'), 401 ],
	'data with a wrong ticket' => [ request('GET', 'tables', ticket => 'x' x 64), 401 ],
	'another method' => [ "DELETE /sync/v1/tables HTTP/1.1\r\nConnection: close\r\n\r\n", 401 ],
	'noise' => [ join('', map { chr(($_ * 31) % 251) } 1 .. 3000), qr/400|431|none/ ],
	'a TLS hello' => [ "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . ('x' x 500), 'none' ],
	'requests in one go' => [ request('GET', '', connection => 'keep-alive') x 3 . request('GET', ''), 200 ],
);
foreach my $what (sort keys %strange)
{
	my ($bytes, $expected) = @{ $strange{$what} };
	my $answer = http_request($port, $bytes, half_close => ($what eq 'nothing' || $what eq 'half a request' || $what eq 'noise'));
	like(status_of($answer // ''), ref $expected ? $expected : qr/^$expected$/, $what);
	is(scalar(() = $answer =~ m{HTTP/1.1 200}g), 4, "$what: all are answered") if $what eq 'requests in one go';
}
my $expect = http_request($port, "POST /sync/v1/connect HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n" . '{"code": "ABCDEFGH"}');
like($expect, qr{\AHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401}, 'Expect: 100-continue');

# Slow ones: each has authentication_timeout in all, whatever it sends meanwhile.
{
	my $began = time;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	my $closed = 0;
	foreach my $byte (split //, "GET /sync/v1/ HTTP/1.1\r\n" . ("X: y\r\n" x 100))
	{
		local $SIG{PIPE} = 'IGNORE';
		syswrite($socket, $byte) or last;
		usleep(50_000);
		my $rin = '';
		vec($rin, fileno($socket), 1) = 1;
		if (select($rin, undef, undef, 0)) { $closed = !sysread($socket, my $x, 1); last if $closed; }
		last if time - $began > 50;
	}
	ok($closed, 'a request byte by byte is cut off');
}
{
	# One that says nothing holds no worker.
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the last one is gone');
	my @silent = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) } 1 .. 50;
	is($a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()'), '0', 'connections that say nothing take no worker');
	is(status_of(http_request($port, request('GET', ''))), 200, 'and keep nobody out');
	my $gone = 0;
	foreach my $socket (@silent) { $gone++ if !sysread($socket, my $x, 1); }
	is($gone, 50, 'after a time they are closed');
}

# One address cannot take all places of those that authenticate, nor wait for ever.
{
	my @half = map {
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
		syswrite($s, "GET /sync/v1/ HTTP/1.1\r\n");
		$s;
	} 1 .. 12;
	my $answers = '';
	foreach my $socket (@half)
	{
		my $all = '';
		while (sysread($socket, my $x, 4096)) { $all .= $x; }
		$answers .= status_of($all) . ' ';
	}
	like($answers, qr/503/, 'who finds no place is told so');
	unlike($answers, qr/200/, 'and half a request is no request');
}

# ---- after authentication ------------------------------------------------------------------------

my $code = new_code($a);
is(status_of(http_request($port, request('POST', 'connect', body => qq({"code": "@{[lc $code]}"})))), 401, 'codes are case-sensitive on the wire');

# The code is spent once, however many try at the same time.
{
	my @pids;
	foreach (1 .. 20)
	{
		pipe(my $in, my $out) or die;
		my $pid = fork;
		if ($pid == 0)
		{
			my $answer = '';
			foreach my $try (1 .. 40)
			{
				$answer = http_request($port, request('POST', 'connect', body => qq({"code": "$code"})));
				last if status_of($answer) ne '503';
				usleep(200_000);
			}
			syswrite($out, status_of($answer));
			POSIX::_exit(0);
		}
		close $out;
		push @pids, [ $pid, $in ];
	}
	my %seen;
	foreach (@pids) { sysread($_->[1], my $status, 10); $seen{$status}++; waitpid($_->[0], 0); }
	is($seen{200}, 1, 'twenty at once: one gets in');
	is(join(',', grep { !/^(200|409|401)$/ } keys %seen), '', 'the others are refused');
}

# Everything on one kept connection.
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	my $ask = sub {
		my ($bytes) = @_;
		syswrite($socket, $bytes);
		my $all = '';
		while ($all !~ /\r\n\r\n/) { sysread($socket, my $x, 65536) or return $all; $all .= $x; }
		if ($all =~ /Content-Length: (\d+)/)
		{
			my $length = $1 + index($all, "\r\n\r\n") + 4;
			while (length $all < $length) { sysread($socket, my $x, 65536) or return $all; $all .= $x; }
		}
		elsif ($all =~ /chunked/)
		{
			while ($all !~ /\r\n0\r\n\r\n\z/) { sysread($socket, my $x, 65536) or return $all; $all .= $x; }
		}
		return $all;
	};
	$code = new_code($a, tables => q('{t}'));
	my $answer = $ask->(request('POST', 'connect', body => qq({"code": "$code"}), connection => 'keep-alive'));
	my ($t) = $answer =~ /"ticket":"([0-9a-f]{64})"/;
	my @keep = (ticket => $t, connection => 'keep-alive');
	like($ask->(request('GET', 'tables', @keep)), qr/"name":"t"/, 'tables');
	unlike($ask->(request('GET', 'tables', @keep)), qr/"name":"big"/, 'a session shows its tables only');
	foreach my $case (
		[ 404, 'GET', 'nothing' ], [ 404, 'POST', 'tables' ], [ 404, 'GET', 'rows' ],
		[ 400, 'GET', 'schema' ], [ 400, 'GET', 'schema?table=' ], [ 404, 'GET', 'schema?table=nix' ],
		[ 400, 'GET', 'schema?table=a.b.c.d' ], [ 403, 'GET', 'schema?table=big' ], [ 403, 'GET', 'schema?table=pg_catalog.pg_authid' ],
		[ 400, 'GET', 'schema?table=%00' ], [ 400, 'GET', 'schema?table=%ff%fe' ], [ 400, 'GET', 'count?table=t%3B%20DROP%20TABLE%20t' ],
		[ 400, 'POST', 'open', '' ], [ 400, 'POST', 'open', '[]' ], [ 400, 'POST', 'open', '{"tables": 5}' ],
		[ 404, 'POST', 'open', '{"tables": ["nix"]}' ], [ 403, 'POST', 'open', '{"tables": ["t", "big"]}' ],
		[ 400, 'POST', 'rows', '{}' ], [ 413, 'POST', 'rows', '{"table": "t", "limit": 101}' ],
		[ 400, 'POST', 'rows', '{"table": "t", "limit": -1}' ], [ 400, 'POST', 'rows', '{"table": "t", "offset": -1}' ],
		[ 400, 'POST', 'rows', '{"table": "t", "limit": 1.5}' ], [ 400, 'POST', 'rows', '{"table": "t", "limit": "10"}' ],
		[ 400, 'POST', 'rows', '{"table": "t", "columns": [{"name": "nix"}]}' ], [ 400, 'POST', 'rows', '{"table": "t", "columns": "id"}' ],
		[ 400, 'POST', 'rows', '{"table": "t", "after": {"id": 5}}' ], [ 400, 'POST', 'rows', '{"table": "t", "after": "[5]"}' ],
		[ 413, 'POST', 'rows', '{"table": "t", "limit": 9223372036854775807}' ], [ 400, 'POST', 'rows', '{"table": "t", "limit": 9223372036854775808}' ],
		[ 409, 'POST', 'connect', '{"code": "ABCDEFGH"}' ])
	{
		my ($status, $method, $path, $body) = @$case;
		my $got = $ask->(request($method, $path, @keep, body => $body));
		is(status_of($got), $status, "$method $path " . ($body // ''));
		like($got, qr/"sqlstate":"/, 'with an error in JSON') if $status != 200;
	}
	# After all those errors the snapshot is still there.
	$a->safe_psql('postgres', q(UPDATE t SET v = 'changed' WHERE id = 1));
	like($ask->(request('POST', 'rows', @keep, body => '{"table": "t", "limit": 1}')), qr/"v": "value 1"/, 'JSON lines, from the same snapshot');
	like($ask->(request('POST', 'rows', @keep, accept => 'text/csv', body => '{"table": "t", "limit": 1, "columns": [{"name": "v"}]}')), qr/\r\nv\r\nvalue 1\r\n/, 'CSV');
	like($ask->(request('POST', 'rows', @keep, body => '{"table": "t", "limit": 1, "after": "{\"id\": 999}"}')), qr/"id": 1000/, 'after');
	my $both = $ask->(request('POST', 'rows', @keep, accept => 'application/vnd.sync.json-rows, application/vnd.sync.rows', body => '{"table": "t", "limit": 1, "columns": [{"name": "v"}]}'));
	like($both, qr{\r\nContent-Type: application/vnd\.sync\.rows\r\n.*"columns":\[\{"name":"v"}s, 'frames for who takes both kinds, and called so');
	# An error that comes when the stream has begun cuts it: it has no last chunk.
	my $cut = $ask->(request('POST', 'rows', @keep, body => '{"table": "t", "after": "{\"id\": \"x\"}"}'));
	like($cut, qr{\AHTTP/1.1 200}, 'a stream that fails');
	unlike($cut, qr/\r\n0\r\n\r\n\z/, 'does not look whole');
}

# A ticket opens the session again, one connection at a time.
{
	$code = new_code($a);
	my $t = ticket($code);
	ok($t, 'connected');
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection is gone');
	is(status_of(http_request($port, request('GET', 'count?table=t', ticket => $t))), 200, 'the ticket works on a new connection');
	is(status_of(http_request($port, request('POST', 'connect', body => qq({"code": "$code"})))), 409, 'the code does not');
	my $first = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection is gone');
	syswrite($first, request('GET', 'session', ticket => $t, connection => 'keep-alive'));
	sysread($first, my $x, 4096);
	is(status_of($x), 200, 'one connection');
	is(status_of(http_request($port, request('GET', 'session', ticket => $t))), 409, 'but not two');
	close $first;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'its end is noticed');
	is(status_of(http_request($port, request('DELETE', 'connect', ticket => $t))), 204, 'the end of the session');
	is(status_of(http_request($port, request('GET', 'session', ticket => $t))), 401, 'after which the ticket is nothing');
	is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'completed', 'the session is completed');
}

# An idle peer is closed; one that does not read does not hold the server up.
{
	my $t = ticket(new_code($a));
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection is gone');
	my $idle = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	syswrite($idle, request('GET', 'session', ticket => $t, connection => 'keep-alive'));
	sysread($idle, my $x, 4096);
	my $got;
	do { $got = sysread($idle, $x, 4096) } while $got;
	is($got, 0, 'an idle peer is disconnected');
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection is gone');

	my $deaf = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	setsockopt($deaf, SOL_SOCKET, SO_RCVBUF, 4096);
	syswrite($deaf, request('POST', 'rows', ticket => $t, body => '{"table": "big"}'));
	wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM sync_peers() WHERE state = 'rows')) eq '1' }, 'it is served');
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'a peer that does not read is given up');
	ok(log_contains($a, qr/sync peer ended: .*result=timeout/), 'and that is logged');
}

# What a peer asks for in vain is shown to nobody.
{
	my $t = ticket(new_code($a));
	my $curious = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	syswrite($curious, request('GET', "n\xc3\xa4\xffse", ticket => $t, connection => 'keep-alive'));
	sysread($curious, my $answer, 4096);
	is(status_of($answer), 404, 'what is not there');
	unlike($answer, qr/\xff/, 'the answer is UTF-8');
	my ($ret, $out, $err) = $a->psql('postgres', "SET client_encoding = 'LATIN1'; SELECT count(*) FROM sync_peers() p JOIN pg_stat_activity s USING (pid) WHERE p.state || s.query LIKE '%se%'; SELECT p.state, s.query FROM sync_peers() p JOIN pg_stat_activity s USING (pid)");
	is($err, '', 'what workers do can be read');
	like($out, qr/^0$/m, 'without what the peer has written');
	close $curious;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the connection is gone');
}

# A server that has no background worker to spare says so.
{
	my $scarce = new_sync_node('scarce', conf => "max_worker_processes = 2\nsync.queue_timeout = 500ms\n");
	ok(log_contains($scarce, qr/WARNING:.*max_worker_processes may be too low/), 'a warning at start');
	like(http_request($scarce->{sync_port}, request('GET', '')), qr{\AHTTP/1.1 503 .*Retry-After: 1.*"sqlstate":"53300".*"hint":}s, 'no free worker');
	my $answer = http_request($scarce->{sync_port}, request('GET', ''));
	my ($length, $body) = $answer =~ /Content-Length: (\d+).*?\r\n\r\n(.*)\z/s;
	is(length $body, $length, 'in a whole answer');
	is($scarce->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()'), '0', 'and leaves nothing behind');
}

is($a->safe_psql('postgres', 'SELECT count(*) FROM t'), '1000', 'nothing was dropped');
no_leftovers($a, 'sender');
ok(!log_contains($a, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
