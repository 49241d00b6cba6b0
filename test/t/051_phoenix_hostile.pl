# A PhoenixKit site that breaks the rules, or does not read: it is answered or closed with the code
# for it, and the server neither grows nor hangs.
use strict;
use warnings;
use lib 'perl';
use IO::Socket::INET;
use PhoenixSocket;
use PostgreSQL::Test::Utils;
use Socket;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_sync_node('sender', conf => <<'CONF');
sync.max_message_size = 3MB
sync.max_page_rows = 1000000
sync.send_timeout = 2s
sync.authentication_timeout = 2
sync.reconnect_grace = 1s
CONF
my $port = $node->{sync_port};
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 1000) i;
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, repeat(chr(97 + i % 26), 10000) FROM generate_series(1, 20000) i;
CREATE TABLE broken (id int PRIMARY KEY, v text);
INSERT INTO broken SELECT i, repeat('x', 1000) FROM generate_series(1, 2000) i;
CREATE ROLE reader LOGIN;
GRANT SELECT ON broken TO reader;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO reader', (SELECT oid::regprocedure FROM pg_proc WHERE proname = 'sync_create_session')); END $$;
ALTER TABLE broken ENABLE ROW LEVEL SECURITY;
CREATE POLICY late ON broken USING (1 / (1900 - id) < 5);
SQL

# Of the only one.
sub peer_pid { my $pid; wait_for(sub { ($pid = $node->safe_psql('postgres', 'SELECT pid FROM sync_peers()')) =~ /\A\d+\z/ }, 'one peer is there'); return $pid; }
sub peer_is_gone { my ($name) = @_; return wait_for(sub { $node->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, $name); }
sub frame { return PhoenixSocket::frame(@_); }

my @breaches = (
	[ 'no mask', frame(1, 'x', plain => 1), 1002 ],
	[ 'a reserved opcode', frame(5, 'x'), 1002 ],
	[ 'a reserved bit', "\xC1" . substr(frame(1, 'x'), 1), 1002 ],
	[ 'a continuation of nothing', frame(0, 'x'), 1002 ],
	[ 'a message within another', frame(1, 'x', more => 1) . frame(1, 'x'), 1002 ],
	[ 'a large ping', frame(9, 'x' x 200), 1002 ],
	[ 'a fragmented close', frame(8, pack('n', 1000), more => 1), 1002 ],
	[ 'a close code that is none', frame(8, pack('n', 999)), 1002 ],
	[ 'invalid UTF-8', frame(1, "[null,\"\xff\"]"), 1007 ],
	[ 'UTF-8 cut by the end', frame(1, "\xC3"), 1007 ],
	[ 'above the limit', frame(1, 'x' x 3145729), 1009 ],
	[ 'too many values', frame(1, '[' . '0,' x 1_000_000 . '0]'), 1009 ],
	[ 'above the limit in fragments', join('', map { frame($_ ? 0 : 1, 'x' x 300_000, more => 1) } 0 .. 11), 1009 ],
	[ 'binary above the limit', frame(2, 'x' x 3145729), 1009 ],
	[ '2 GB, announced', frame(1, 'x', length => 2147483648), 1009 ],
	[ '2^63 bytes, announced', frame(1, 'x', length => 9223372036854775807), 1009 ],
	[ 'a close in the middle of a message', frame(1, 'half', more => 1) . frame(8, pack('n', 1000)), 1000 ],
);
foreach (@breaches)
{
	my ($what, $bytes, $code) = @$_;
	my $ws = PhoenixSocket->joined($node);
	$ws->send_bytes($bytes);
	is($ws->close_code, $code, "$what: closed with $code");
	is($ws->receive_text, undef, "$what: and that is all");
	peer_is_gone("$what: the peer is gone");
}

# What costs the peer little must not cost the server much.
{
	my $ws = PhoenixSocket->joined($node);
	is(($ws->ask('request:count', table => 't'))[1]{count}, 1000, 'a peer');
	my $pid = peer_pid();
	my $before = private_dirty($pid);
	my $grown = sub { my ($what) = @_; is(($ws->ask('request:count', table => 't'))[1]{count}, 1000, "$what: answered after it"); cmp_ok(private_dirty($pid) - $before, '<', 16 * 1024, "$what: and memory is given back"); };
	$ws->send_text('[' x 1_000_000);
	$ws->send_text('{"a":' x 150_000);
	$grown->('deep JSON');
	foreach (1 .. 20) { $ws->send_text('[null,"1","t","request:count",[' . '0,' x 400_000 . '0]]'); }
	$grown->('many values');
	foreach (1 .. 50) { $ws->send_text('[null,"1","t","request:count",{"table":"' . 'x' x 900_000 . '"}]'); }
	$grown->('long names');
	$ws->send_bytes(join '', map { frame($_ ? 0 : 1, '', more => 1) } 0 .. 20000);
	$ws->send_frame(0, 'x');
	$grown->('empty fragments');
	$ws->send_bytes(frame(9, 'p') x 20000);
	my $pongs = 0;
	while ($pongs < 20000) { my $frame = $ws->receive_frame // last; $pongs++ if $frame->[0] == 10; }
	is($pongs, 20000, 'each ping has its pong');
	$grown->('pings');
	$ws->send_json(undef, '1', 'transfer:x', 'phx_join', { receiver_info => [ map { { "key $_" => $_ } } 1 .. 20000 ] });
	is($ws->receive->[4]{status}, 'error', 'a wrong topic');
	$ws->send_text(qq([null,"1","transfer:$ws->{code}","phx_join",{"receiver_info":$_}])) and is($ws->receive->[4]{status}, 'ok', 'receiver_info may be anything')
	  foreach 'null', '5', '"\u0000\u0001x"', '[[[[1e300]]]]', '{"a\u0000":1,"a":2,"":3}', "\"\xF0\x9F\x98\x80\"";
	is($node->safe_psql('postgres', "SELECT metadata->'receiver_info' FROM sync_get_session('$ws->{code}')"), "\"\xF0\x9F\x98\x80\"", 'and can be looked at');
	$grown->('joins');
	is($ws->close, 1000, 'closed');
}

# A page is never in memory as a whole, also where the peer is slow to read it.
{
	my $ws = PhoenixSocket->joined($node);
	is(($ws->ask('request:count', table => 't'))[1]{count}, 1000, 'a peer');
	my $pid = peer_pid();
	my $before = private_dirty($pid);
	$ws->send_json(undef, '1', 't', 'request:records', { table => 'big', limit => 20000, ref => '1' });
	my ($size, $peak, $last, $frames) = (0, 0, 0, 0);
	until ($last)
	{
		my $frame = $ws->receive_frame // last;
		$size += length $frame->[1];
		$last = $frame->[2];
		next if $frames++ % 50;
		my $now = private_dirty($pid);
		$peak = $now if $now > $peak;
	}
	cmp_ok($size, '>', 200_000_000, 'a page of 200 MB');
	cmp_ok($peak - $before, '<', 16 * 1024, 'takes no memory');
	is($ws->close, 1000, 'closed');
}
{
	my $deaf = PhoenixSocket->joined($node);
	setsockopt($deaf->{handle}, SOL_SOCKET, SO_RCVBUF, 4096);
	$deaf->send_json(undef, '1', 't', 'request:records', { table => 'big', limit => 20000, ref => '1' });
	wait_for(sub { $node->safe_psql('postgres', q(SELECT count(*) FROM sync_peers() WHERE state = 'request:records')) eq '1' }, 'it is served');
	peer_is_gone('a peer that does not read is given up');
	ok(log_contains($node, qr/sync peer ended: .*result=(timeout|lost)/), 'and that is logged');
}
{
	my $gone = PhoenixSocket->joined($node);
	$gone->send_json(undef, '1', 't', 'request:records', { table => 'big', limit => 20000, ref => '1' });
	$gone->receive_frame;
	close $gone->{handle};
	peer_is_gone('a peer that goes in the middle of an answer is noticed');
}
{
	my $ended = PhoenixSocket->joined($node);
	$ended->send_json(undef, '1', 't', 'request:records', { table => 'big', limit => 20000, ref => '1' });
	$ended->receive_frame;
	$node->safe_psql('postgres', "SELECT sync_delete_session('$ended->{code}')");
	my ($text, $frames) = ('', 0);
	while (my $frame = $ended->receive_frame) { last if $frame->[0] == 8; $frames++; }
	cmp_ok($frames, '<', 20000, 'the end of the session ends an answer, too');
	peer_is_gone('and its worker');
}

# An error in the middle of an answer cannot be told any more but by the close code; one before can.
{
	my $ws = PhoenixSocket->joined($node, role => 'reader');
	my ($event, $payload) = $ws->ask('request:records', table => 'broken', offset => 1890, limit => 5);
	is($event, 'response:records', 'rows before the error');
	($event, $payload) = $ws->ask('request:records', table => 'broken', offset => 1890, limit => 50);
	is_deeply([ $event, $payload->{error} ], [ 'response:error', 'Failed to fetch records: division by zero' ], 'an error before anything was sent');
	$ws->send_json(undef, '1', 't', 'request:records', { table => 'broken', limit => 2000, ref => '1' });
	is($ws->close_code, 1011, 'one in the middle of an answer closes with 1011');
	peer_is_gone('the peer is gone');
}

# Before the upgrade.
foreach (
	[ 'POST', "POST /sync/websocket?code=x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello", qr/ 403 / ],
	[ 'HTTP/1.0', "GET /sync/websocket?code=x HTTP/1.0\r\nUpgrade: websocket\r\n\r\n", qr/ 403 / ],
	[ 'no end', "GET /sync/websocket?code=x HTTP/1.1\r\nUpgrade: websocket\r\n", qr/\A\z/ ],
	[ 'a large query', "GET /sync/websocket?code=" . 'x' x 100000 . " HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", qr/ 431 / ],
	[ 'many parameters', "GET /sync/websocket?" . 'code=x&' x 1000 . " HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", qr/ 403 .*Invalid code/s ],
	[ 'SQL', "GET /sync/websocket?code=';DROP+TABLE+t;-- HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", qr/ 403 .*Invalid code/s ])
{
	my ($what, $bytes, $expected) = @$_;
	like(http_request($port, $bytes), $expected, "$what: refused");
}
{
	# Frames that come with the request wait for the answer.
	my $code = new_code($node);
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
	syswrite($socket, PhoenixSocket::request("/sync/websocket?code=$code") . frame(1, '[null,"1","phoenix","heartbeat",{}]') . frame(8, pack('n', 1000)));
	my $all = '';
	while (sysread($socket, my $chunk, 4096)) { $all .= $chunk; }
	like($all, qr/\AHTTP\/1.1 101 .*\r\n\r\n\x81.\[null,"1","phoenix","phx_reply".*\x88\x02\x03\xE8\z/s, 'frames behind the request are read');
}

is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), '1000', 'nothing was dropped');
no_leftovers($node, 'sender');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
