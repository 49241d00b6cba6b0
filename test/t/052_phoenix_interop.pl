# Software that no one here wrote talks to a server of ours as it would to a PhoenixKit site: the npm
# package phoenix, Python's websockets, curl. SYNC_NODE is the folder that has node_modules of
# interop/package-lock.json.
use strict;
use warnings;
use lib 'perl';
use JSON::PP;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = new_sync_node('sender', conf => "sync.phoenix_idle_timeout = 6s\n");
my $port = $node->{sync_port};
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE users (id int PRIMARY KEY, name text);
INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, repeat(chr(97 + i % 26), 10000) FROM generate_series(1, 1000) i;
CREATE TABLE oban_jobs (id int PRIMARY KEY);
SQL

# Runs a program and returns what it writes: the last line, as JSON.
sub result_of
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = eval { IPC::Run::run(\@command, '<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(120)) };
	ok($ok, "$name: runs") or diag("@command: $@ $out $err");
	my $result = eval { decode_json((split /\n/, $out)[-1] // '') };
	ok($result, "$name: has a result") or diag("$out $err");
	return $result // {};
}

# ---- curl: refusals ----------------------------------------------------------------------------

my @upgrade = ('-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket');
my $code = new_code($node);
foreach (
	[ 'no upgrade', [], "?code=$code", 400, 'Expected WebSocket upgrade' ],
	[ 'no code', [@upgrade], '', 403, 'Missing authentication' ],
	[ 'an unknown code', [@upgrade], '?code=ABCDEFGH', 403, 'Invalid code' ],
	[ 'an unknown token', [@upgrade], '?token=x', 403, 'Invalid token' ],
	[ 'half a handshake', [@upgrade], "?code=$code", 400, 'Invalid WebSocket handshake: the header Sec-WebSocket-Version does not say 13' ])
{
	my ($name, $options, $query, $status, $body) = @$_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'curl', '-s', '--max-time', '60', '--http1.1', @$options, '-w', '\n%{http_code} %{content_type}', "http://localhost:$port/phoenix_kit/sync/websocket$query" ], '>', \$out, '2>', \$err);
	is($out, "$body\n$status text/plain; charset=utf-8", "curl: $name");
}
is($node->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', 'curl: no code was spent');

# ---- Python's websockets -----------------------------------------------------------------------

{
	my $got = result_of('websockets', '/usr/bin/python3', 'interop/websockets_client.py', "ws://localhost:$port/x/sync/websocket", $code);
	is_deeply([ @$got{ 'no code', 'unknown code', 'used code' } ], [ 403, 403, 403 ], 'websockets: refusals');
	is_deeply($got->{extensions}, [], 'websockets: no extension is agreed upon');
	is_deeply($got->{heartbeat}, [ undef, 1, 'phoenix', 'phx_reply', { status => 'ok', response => {} } ], 'websockets: heartbeat');
	is_deeply($got->{join}, [ undef, '1', "transfer:$code", 'phx_reply', { status => 'ok', response => {} } ], 'websockets: join');
	is_deeply($got->{count}, [ undef, undef, "transfer:$code", 'response:count', { count => 1000, ref => '2' } ], 'websockets: count');
	is($got->{fragments}[4]{count}, 1000, 'websockets: a request in fragments');
	is($got->{big}, 10_000_000, 'websockets: an answer of 10 MB');
	is($got->{after}[1], '5', 'websockets: a ping is answered, binary passed over');
	is($got->{closed}, 1000, 'websockets: closed');
	is($node->safe_psql('postgres', "SELECT metadata->'receiver_info'->>'user_name' FROM sync_get_session('$code')"), "\xC3\x84nn", 'websockets: what it told of itself');
}

# ---- phoenix -----------------------------------------------------------------------------------

my $modules = ($ENV{SYNC_NODE} // '') . '/node_modules';
ok(-d "$modules/phoenix" && -d "$modules/ws", 'phoenix: the packages are there') or diag('SYNC_NODE must name the folder in which "npm ci" was run on test/interop/package-lock.json');
local $ENV{NODE_PATH} = $modules;
{
	my $code = new_code($node);
	my $got = result_of('phoenix', 'node', 'interop/phoenix_client.js', "ws://localhost:$port/phoenix_kit/sync", $code);
	is_deeply($got->{errors}, [], 'phoenix: no errors');
	is($got->{opened}, 1, 'phoenix: connected once');
	is_deeply($got->{wrong}, { status => 'error', response => { reason => 'code_mismatch' } }, 'phoenix: a wrong topic');
	is_deeply($got->{join}, { status => 'ok', response => {} }, 'phoenix: join');
	is_deeply($got->{capabilities}{payload}{capabilities}{features}, [qw(list_tables get_schema fetch_records)], 'phoenix: capabilities');
	is_deeply([ map { $_->{name} } @{ $got->{tables}{payload}{tables} } ], [qw(big users)], 'phoenix: tables');
	is_deeply([ map { "$_->{name} $_->{type}" } @{ $got->{schema}{payload}{schema}{columns} } ], [ 'id integer', 'name text' ], 'phoenix: schema');
	is($got->{count}{payload}{count}, 1000, 'phoenix: count');
	is_deeply([ $got->{missing}{event}, $got->{missing}{payload}{error} ], [ 'response:error', 'Failed to get count: :table_not_found' ], 'phoenix: an error');
	is_deeply($got->{ids}, [ 1 .. 1000 ], 'phoenix: records, page by page');
	is_deeply($got->{pipelined}, [ 'response:schema', 'response:schema', 'response:error' ], 'phoenix: three requests at once');
	is($got->{big}, 10_000_000, 'phoenix: an answer of 10 MB');
	wait_for(sub { $node->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')") eq 'completed' }, 'the session is completed');
}
{
	# Heartbeats alone keep it connected, for longer than silence would; then the session is deleted.
	my $code = new_code($node);
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ 'node', 'interop/phoenix_client.js', "ws://localhost:$port/sync", $code, 'wait' ], '<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(120));
	eval { $run->pump until $out =~ /waiting/; };
	sleep 8;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()'), '1', 'phoenix: heartbeats keep it open');
	$node->safe_psql('postgres', "SELECT sync_delete_session('$code')");
	eval { $run->finish };
	my $got = eval { decode_json((split /\n/, $out)[-1]) } // {};
	is($got->{closed}, 1000, 'phoenix: a session that is deleted closes the socket');
	is($got->{opened}, 1, 'phoenix: and it does not try again') or diag("$out $err");
}

no_leftovers($node, 'sender');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
