# Peers that are not there, are something else, hang, reset, or send garbage; codes that are no use.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use FakePeer;
use SyncTest;
use Socket;
use Test::More;
use Time::HiRes qw(time sleep);

my $a = new_sync_node('sender', conf => "sync.max_connections = 2\n");
my $b = new_sync_node('receiver');
my $url = sync_url($a);
my $code;

# ---- codes and arguments -------------------------------------------------------------------------

my $began = time;
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH')", '28000', qr/invalid_code.*DETAIL:  remote: .*HINT:/s, 'unknown code');
fails_with($b, "SELECT sync_connect('$url', 'ABC')", '28000', qr/invalid_code.*8 characters/s, 'malformed code');
$code = new_code($a);
$b->safe_psql('postgres', "SELECT sync_disconnect(sync_connect('$url/', ' ' || lower('$code') || ' '))");
fails_with($b, "SELECT sync_connect('$url', '$code')", '55000', qr/already_used/, 'used code');
fails_with($b, "SELECT sync_connect('$url', token => 'nonsense')", '28P01', qr/invalid token.*HINT/s, 'unknown token');
fails_with($b, "SELECT sync_connect('$url')", '22023', qr/either a code or a token/, 'neither code nor token');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', 'token')", '22023', qr/either a code or a token/, 'both code and token');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', password => 'x')", '22023', qr/password goes with a token/, 'password without token');
fails_with($b, "SELECT sync_connect(NULL)", '22004', qr/"url"/, 'no URL');
fails_with($b, "SELECT sync_connect('localhost:5480', 'ABCDEFGH')", '22023', qr/goes with a URL.*"localhost:5480" has no :\/\/.*HINT:.*https:\/\//s, 'URL without scheme');
fails_with($b, "SELECT sync_connect('ftp://localhost/', 'ABCDEFGH')", '22023', qr/https:\/\//, 'URL with another scheme');
fails_with($b, "SELECT sync_connect('file:///etc/passwd', 'ABCDEFGH')", '22023', qr/URL/, 'URL of a file');
fails_with($b, "SELECT sync_connect('http://u:secret\@localhost/', 'ABCDEFGH')", '22023', qr/user or a password/, 'URL with a password');
fails_with($b, "SELECT sync_connect('http://[::1', 'ABCDEFGH')", '22023', qr/URL/, 'malformed URL');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', protocol => 'gopher')", '22023', qr/Available values/, 'unknown protocol');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', timeout => '0')", '22023', qr/timeout/, 'no time');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', timeout => '-5 s')", '22023', qr/timeout/, 'negative time');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', timeout => '1000 years')", '22023', qr/timeout/, 'a thousand years');
fails_with($b, "SELECT sync_connect('$url', 'ABCDEFGH', timeout => NULL)", '22004', qr/timeout/, 'null timeout');
ok(!log_contains($b, qr/STATEMENT:.*sync_connect/), 'statements with codes are not logged with their errors');
{
	my $offset = -s $b->logfile;
	my $call = "sync_connect('http://localhost:" . free_port() . "', 'SECRETCD')";
	fails_with($b, "DO \$\$ BEGIN PERFORM $call; END \$\$", '08001', undef, 'a call in a function');
	fails_with($b, "SET log_parameter_max_length_on_error = -1;\nPREPARE p (text) AS SELECT sync_connect('http://localhost:" . free_port() . "', \$1);\nEXECUTE p ('SECRETCD')", '08001', undef, 'a prepared call');
	ok(log_contains($b, qr/08001: could not connect/, $offset), 'is in the log');
	ok(!log_contains($b, qr/SECRETCD/, $offset), 'without the code');
}

# ---- nobody there --------------------------------------------------------------------------------

my $nobody = free_port();
fails_with($b, "SELECT sync_connect('http://localhost:$nobody', 'ABCDEFGH')", '08001', qr/could not connect.*HINT/s, 'nobody listens');
fails_with($b, "SELECT sync_connect('http://no-such-host.invalid:5480', 'ABCDEFGH')", '08001', qr/could not connect/, 'unknown host');
fails_with($b, "SELECT sync_connect('https://localhost:$a->{sync_port}', 'ABCDEFGH')", '08001', qr/could not connect/, 'TLS where there is none');

# ---- somebody else -------------------------------------------------------------------------------

sub answering
{
	my ($bytes) = @_;
	return fake_peer(sub { my ($c) = @_; read_head($c); print $c $bytes; sleep 0.2; });
}

my %others = (
	'a web server' => http_body(404, '<html>Not found</html>', 'text/html'),
	'a web server that is happy with everything' => http_body(200, '<html>Hello</html>', 'text/html'),
	'a redirect' => "HTTP/1.1 302 Found\r\nLocation: $url\r\nContent-Length: 0\r\n\r\n",
	'JSON of something else' => http_body(200, '{"hello": "world"}'),
	'JSON that is no object' => http_body(200, '[1,2,3]'),
	'broken JSON' => http_body(200, '{"protocol": "sync", "versions": [1'),
	'deep JSON' => http_body(200, '[' x 50000),
	'another version' => http_body(200, '{"protocol": "sync", "versions": [99], "software": "9.9"}'),
	'no HTTP' => "220 mail.example.com ESMTP\r\n",
	'noise' => join('', map { chr(($_ * 7919) % 256) } 1 .. 5000),
	'a head without end' => "HTTP/1.1 200 OK\r\n" . ("X-Header: " . ('x' x 1000) . "\r\n") x 100,
	'a wrong length' => "HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n",
	'a huge body' => "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" . ('x' x 200000),
	'an error page of a proxy' => http_body(503, '<html>Unavailable</html>', 'text/html'),
);
foreach my $what (sort keys %others)
{
	my $port = answering($others{$what});
	my $expected = { 'a huge body' => '54000', 'an error page of a proxy' => '08001' }->{$what} || '08P01';
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", $expected, undef, $what);
}
# Its connection ends where a message should go on.
foreach my $cut ('', 'HTTP/1.1 200 OK', "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
{
	my $port = fake_peer(sub { my ($c) = @_; read_head($c); print $c $cut; });
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", '08006', qr/connection lost/, 'cut after ' . length($cut) . ' bytes');
}
# It resets the connection.
{
	my $port = fake_peer(sub {
		my ($c) = @_;
		read_head($c);
		setsockopt($c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
		close $c;
	});
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", '08006', qr/connection lost/, 'reset');
	# PostgreSQL itself: the wrong port of the right machine.
	$port = fake_peer(sub { my ($c) = @_; read_head($c); close $c; });
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", '08006', qr/HINT:  The port in the URL.*sync\.port/, 'the port of something that hangs up');
}
# It hangs: the caller's time-out, and a cancel at once.
{
	my $port = fake_peer(sub { my ($c) = @_; read_head($c); sleep 100; });
	$began = time;
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH', timeout => '500 ms')", '57014', qr/timeout/, 'hangs');
	cmp_ok(time - $began, '<', 20, 'and the caller does not');
	fails_with($b, "SET statement_timeout = '500 ms'; SELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", '57014', qr/statement timeout/, 'statement_timeout');
	# Byte by byte.
	my $slow = fake_peer(sub { my ($c) = @_; read_head($c); foreach (1 .. 1000) { print $c 'H'; sleep 0.1; } });
	fails_with($b, "SELECT sync_connect('http://localhost:$slow', 'ABCDEFGH', timeout => '1 s')", '57014', qr/timeout/, 'byte by byte');
	# It accepts nothing at all.
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1);
	my $silent = $socket->sockport;
	fails_with($b, "SELECT sync_connect('http://localhost:$silent', 'ABCDEFGH', timeout => '500 ms')", '57014', qr/timeout/, 'accepts and says nothing');
}

# ---- a sync server that goes wrong ---------------------------------------------------------------

my $column = '{"name": "a", "type": "integer", "base_type": "pg_catalog.int4", "category": "N", "binary": true, "nullable": true}';
my $opened = qq({"tables": [{"definition": {"schema": "public", "table": "t", "columns": [$column], "primary_key": [], "kind": "r"}, "complete": true, "size_bytes": 0}]});
$b->safe_psql('postgres', 'CREATE TABLE t (a int); CREATE TABLE keyed (a int PRIMARY KEY)');

# Plays a peer that has the table t.
sub playing { return playing_peer(open => http_body(200, $opened), @_); }

my $header = frame('H', '{"encoding": "UTF8", "columns": [{"name": "a", "binary": true, "width": 4}]}');
my $one_row = frame('D', pack('N', 1) . "\0" . pack('N', 42));
my %streams = (
	'an empty answer' => ['', '08006'],
	'no header' => [ $one_row, '08P01' ],
	'a header alone' => [ $header, '08006' ],
	'rows without an end' => [ $header . $one_row, '08006' ],
	'a frame cut short' => [ $header . substr($one_row, 0, 10), '08006' ],
	'an end that counts wrongly' => [ $header . $one_row . frame('E', pack('Q>', 2) . ("\0" x 16)), '08P01' ],
	'a wrong checksum' => [ $header . $one_row . frame('E', pack('Q>', 1) . ("\0" x 16)), '08P01' ],
	'an unknown frame' => [ $header . frame('Z', ''), '08P01' ],
	'a huge frame' => [ $header . pack('a1CnN', 'D', 0, 0, 0xffffffff), '08P01' ],
	'a frame larger than what comes' => [ $header . pack('a1CnN', 'D', 0, 0, 0x3ffffff0) . ('x' x 1000), '08006' ],
	'more rows than bytes' => [ $header . frame('D', pack('N', 4_000_000_000) . "\0"), '08P01' ],
	'a row that runs over its frame' => [ $header . frame('D', pack('N', 1) . "\0" . "\1"), '08P01' ],
	'a frame longer than its rows' => [ $header . frame('D', pack('N', 1) . "\0" . pack('N', 1) . 'junk'), '08P01' ],
	'a broken compression' => [ $header . frame('D', 'no zstd at all', 1), '08P01' ],
	'other columns' => [ frame('H', '{"encoding": "UTF8", "columns": [{"name": "b", "binary": true, "width": 4}]}'), '08P01' ],
	'a wrong width' => [ frame('H', '{"encoding": "UTF8", "columns": [{"name": "a", "binary": true, "width": 3}]}'), '08P01' ],
	'an unknown encoding' => [ frame('H', '{"encoding": "KLINGON", "columns": [{"name": "a", "binary": true, "width": 4}]}'), '08P01' ],
	'a header that is no JSON' => [ frame('H', 'hello'), '08P01' ],
	'an error of its own' => [ $header . frame('X', '{"error": {"sqlstate": "53100", "message": "disk full there", "detail": "All of it."}}'), '53100' ],
	'an error that is none' => [ $header . frame('X', '{"error": {"sqlstate": "00000", "message": "success"}}'), 'XX000' ],
);
foreach my $what (sort keys %streams)
{
	my ($bytes, $sqlstate) = @{ $streams{$what} };
	foreach my $whole (0, 1)
	{
		my $port = playing(rows => sub { my ($c) = @_; print $c rows_answer($bytes, $whole); close $c unless $whole; });
		my $err = fails_with($b, "SELECT sync_pull('http://localhost:$port', 'ABCDEFGH', tables => '{t}')", $sqlstate, undef,
			"$what" . ($whole ? ', in a whole answer' : ''));
		like($err, qr/remote: All of it/, 'an error of the peer is told as such') if $what eq 'an error of its own';
	}
}
is($b->safe_psql('postgres', 'SELECT count(*) FROM t'), '0', 'no cut stream was taken for a whole one');

# Other answers that go wrong.
foreach my $case (
	[ 'a refusal in HTML', open => http_body(500, '<h1>oops</h1>'), '08P01' ],
	[ 'a refusal', open => http_body(403, '{"error": {"sqlstate": "42501", "message": "not for you"}}'), '42501' ],
	[ 'a reply that is no JSON', open => http_body(200, 'x'), '08P01' ],
	[ 'too few tables', open => http_body(200, '{"tables": []}'), '08P01' ],
	[ 'a definition without columns', open => http_body(200, '{"tables": [{"definition": {"columns": 5}}]}'), '08P01' ],
	[ 'a ticket that is none', connect => http_body(200, '{"ticket": 5}'), '08P01' ],
	[ 'U+0000', connect => http_body(200, '{"ticket": "a\\u0000b", "direction": "send"}'), '08P01' ],
	[ 'bad UTF-8', connect => http_body(200, "{\"ticket\": \"\xff\xfe\", \"direction\": \"send\"}"), '08P01' ])
{
	my ($what, $operation, $answer, $sqlstate) = @$case;
	my $port = playing($operation => $answer);
	fails_with($b, "SELECT sync_pull('http://localhost:$port', 'ABCDEFGH', tables => '{t}')", $sqlstate, undef, $what);
}

# A reply that never ends is not read for ever.
{
	my $port = playing(tables => sub {
		my ($c) = @_;
		print $c "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
		my $chunk = sprintf("%x\r\n%s\r\n", 1048576, ' ' x 1048576);
		print $c $chunk foreach 1 .. 200;
	});
	$b->safe_psql('postgres', q(ALTER SYSTEM SET sync.max_message_size = '2 MB'));
	$b->safe_psql('postgres', 'SELECT pg_reload_conf()');
	soon_is($b, 'SHOW sync.max_message_size', '2MB', 'the limit counts');
	fails_with($b, "SELECT sync_remote_list_tables(sync_connect('http://localhost:$port', 'ABCDEFGH'))", '54000', qr/too large/, 'an endless reply');
	$b->safe_psql('postgres', 'ALTER SYSTEM RESET sync.max_message_size');
	$b->safe_psql('postgres', 'SELECT pg_reload_conf()');
}

# One that sends so fast that there is nothing to wait for: the time is over all the same, and the call can be cancelled.
{
	my $flood = sub {
		my ($c) = @_;
		read_head($c);
		my $bytes = "HTTP/1.1 100 Continue\r\n\r\n" x 20000;
		my $end = time + 60;
		while (time < $end) { syswrite($c, $bytes) or return; }
	};
	my $port = fake_peer($flood);
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH', timeout => '1 s')", '57014', qr/timeout/, 'interim answers without end');
	fails_with($b, "SET statement_timeout = '1s';\nSELECT sync_connect('http://localhost:$port', 'ABCDEFGH')", '57014', qr/statement timeout/, 'which can be cancelled');
}
# Why it could not be connected to is what it has said last, not that it then said nothing any more.
{
	my $asked = PostgreSQL::Test::Utils::tempdir() . '/asked';
	my $port = playing(connect => sub {
		my ($c) = @_;
		sleep 100 if -e $asked;
		append_to_file($asked, '');
		print $c http_body(503, '{"error": {"sqlstate": "53300", "message": "peer is busy"}}');
	});
	fails_with($b, "SELECT sync_connect('http://localhost:$port', 'ABCDEFGH', timeout => '3 s')", '53300', qr/busy/, 'a peer that is busy, and then silent');
}

stop_fake_peers();

# ---- a busy peer ---------------------------------------------------------------------------------

my @sessions = map { background($b, "SELECT sync_connect('$url', '" . new_code($a) . "'); SELECT 'connected'; SELECT pg_sleep(60);\n") } 1 .. 2;
wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM sync_peers() WHERE state = 'idle')) eq '2' }, 'two peers are connected');
$code = new_code($a);
fails_with($b, "SELECT sync_connect('$url', '$code', timeout => '5 s')", '53300', qr/busy/, 'a peer that serves as many as it may');
is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', 'a code is not spent for a peer that is busy');
$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()));
finished($_) foreach @sessions;
wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'their workers have noticed');
is($b->safe_psql('postgres', "SELECT sync_connect('$url', '$code') > 0"), 't', 'later there is room');

# ---- not preloaded -------------------------------------------------------------------------------

my $c = new_sync_node('unprepared', bare => 1);
$c->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$c->restart;
$c->safe_psql('postgres', 'CREATE EXTENSION sync; SELECT sync_enable()');
fails_with($c, "SELECT sync_create_session('send')", '55000', qr/not preloaded.*HINT:.*shared_preload_libraries/s, 'not preloaded');
is($c->safe_psql('postgres', 'SELECT worker_state, listen_url FROM sync_get_config()'), 'not preloaded|', 'and says so');
# Every function, whatever it is called with: an answer or an error.
my $answered = $c->safe_psql('postgres', q(
	DO $$
	DECLARE called record;
	BEGIN
		FOR called IN
			SELECT p.oid, p.oid::regproc AS name, string_agg(CASE t.typname WHEN 'text' THEN $s$'x'$s$ WHEN 'name' THEN 'current_user'
				WHEN 'int4' THEN '1' WHEN 'int8' THEN '1' WHEN 'bool' THEN 'true' WHEN 'regclass' THEN $s$'pg_class'$s$ WHEN 'jsonb' THEN $s$'{}'$s$
				WHEN 'interval' THEN $s$'1 s'$s$ WHEN 'uuid' THEN 'gen_random_uuid()' ELSE 'NULL' END || '::' || t.oid::regtype, ', ' ORDER BY a.place) AS arguments
			FROM sync_privileges v JOIN pg_proc p ON p.oid = v.function
				LEFT JOIN unnest(p.proargtypes) WITH ORDINALITY AS a(type, place) ON true LEFT JOIN pg_type t ON t.oid = a.type
			GROUP BY p.oid
		LOOP
			BEGIN
				EXECUTE format('SELECT %s(%s)', called.name, called.arguments);
			EXCEPTION WHEN OTHERS THEN
				IF SQLERRM ~ 'syntax|cache lookup' OR SQLSTATE = 'XX000' THEN RAISE; END IF;
			END;
		END LOOP;
	END $$;
	SELECT sync_terminate_peer(1)));
is($answered, 'f', 'all functions answer');
$a->safe_psql('postgres', 'CREATE TABLE given (x int); INSERT INTO given VALUES (1), (2)');
$code = new_code($a);
is($c->safe_psql('postgres', "SELECT table_name, created FROM sync_pull('$url', '$code')"), 'given|2', 'pulling needs no preloading');

# ---- a port that is in use -----------------------------------------------------------------------

my $d = new_sync_node('late', bare => 1);
$d->append_conf('postgresql.conf', "sync.port = $a->{sync_port}");
$d->restart;
$d->{sync_port} = $a->{sync_port};
$d->safe_psql('postgres', 'CREATE EXTENSION sync; SELECT sync_enable(); CREATE TABLE late (x int)');
wait_for(sub { $d->safe_psql('postgres', 'SELECT worker_state, listen_url FROM sync_get_config()') eq 'cannot listen|' }, 'a port that is in use');
ok(log_contains($d, qr/sync cannot listen on port \d+; trying again every 10 seconds.*DETAIL: [^\n]*in use/s), 'is in the log');
like(($d->psql('postgres', q(SELECT FROM sync_create_session('send'))))[2], qr/WARNING:  no peer can come before sync can listen\nHINT:/, 'and told to who makes a session');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
$a->stop;
wait_for(sub { $d->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'it is listened on once it is free');
$code = new_code($d);
is($b->safe_psql('postgres', "SELECT table_name, created FROM sync_pull('$url', '$code')"), 'late|0', 'and peers can come');
done_testing();
