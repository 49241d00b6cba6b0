# A PhoenixKit site connects over its WebSocket and gets what PhoenixKit would give it. The numbers
# are those of the conformance cases in README.md.
use strict;
use warnings;
use lib 'perl';
use IO::Socket::INET;
use JSON::PP;
use PhoenixSocket;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $node = new_sync_node('sender', conf => <<'CONF');
sync.max_connections = 30
sync.max_pending = 40
max_worker_processes = 90
sync.phoenix_idle_timeout = 10min
sync.reconnect_grace = 1s
CONF
my $port = $node->{sync_port};
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE users (id bigserial PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x', tags int[], score numeric(10,2));
INSERT INTO users (name, score) SELECT 'user ' || i, i FROM generate_series(1, 2500) i;
CREATE TABLE composite (b int, a int, v text, PRIMARY KEY (a, b));
INSERT INTO composite SELECT i % 20, i / 20, 'v' || i FROM generate_series(0, 199) i ORDER BY random();
CREATE TABLE keyless (v text);
INSERT INTO keyless SELECT 'row ' || i FROM generate_series(1, 300) i;
CREATE TABLE schema_migrations (version int PRIMARY KEY);
INSERT INTO schema_migrations VALUES (1);
CREATE TABLE oban_jobs (id int PRIMARY KEY);
CREATE TABLE pg_like (id int PRIMARY KEY);
CREATE TABLE phoenix_kit_user_tokens (id int PRIMARY KEY);
CREATE TABLE "Odd Name" (id int PRIMARY KEY);
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, repeat(chr(97 + i % 26), 20000) FROM generate_series(1, 1000) i;
CREATE TABLE awkward (id int PRIMARY KEY, a timestamptz, b int[], c jsonb, d bytea, e uuid, f numeric);
INSERT INTO awkward VALUES (1, 'infinity', '[0:1]={1,NULL}', 'null', '\xff', '00000000-0000-0000-0000-0000000000ff', 'NaN'), (2, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE VIEW a_view AS SELECT 1 AS one;
CREATE SCHEMA other;
CREATE TABLE other.hidden (id int PRIMARY KEY);
SQL

sub refused
{
	my ($target, $status, $body, $name, %headers) = @_;
	my $answer = PhoenixSocket->open_socket($port, $target, %headers);
	is_deeply({%$answer}, { status => $status, type => 'text/plain; charset=utf-8', body => $body }, $name);
}

# ---- upgrade -------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'SELECT sync_disable()');
refused('/sync/websocket?code=ABCDEFGH', 400, 'Expected WebSocket upgrade', '1: no Upgrade header, module disabled', Upgrade => undef);
refused('/sync/websocket?code=ABCDEFGH', 400, 'Expected WebSocket upgrade', '1: a list in the Upgrade header', Upgrade => 'websocket, foo');
refused('/sync/websocket?code=ABCDEFGH', 403, 'Module disabled', '2: module disabled');
$node->safe_psql('postgres', 'SELECT sync_enable()');
refused('/sync/websocket', 403, 'Missing authentication', '2: no code');
refused('/sync/websocket?code=', 403, 'Invalid code', '2: an empty code');
refused('/sync/websocket?code=ABCDEFGH', 403, 'Invalid code', '3: row 12, an unknown code');
refused('/sync/websocket?code=ABCDEFGH%00', 403, 'Invalid code', '3: row 12, a code with U+0000');
my $code = new_code($node);
refused("/sync/websocket?code=$code&token=x", 403, 'Invalid token', '3: row 4, and the token wins');
refused("/sync/websocket?code=$code&token=", 403, 'Invalid token', '3: an empty token is one');
refused('/sync/websocket?code=' . lc $code, 403, 'Invalid code', '4: a code in lower case');
refused('/sync/websocket?code=' . new_code($node, direction => 'receive'), 403, 'Invalid code', '4: a code of a session that only takes');

foreach my $header ('Sec-WebSocket-Version', 'Sec-WebSocket-Key', 'Connection', 'Host')
{
	my $answer = PhoenixSocket->open_socket($port, "/sync/websocket?code=$code", $header => undef);
	is($answer->{status}, 400, "5: a handshake without $header is refused");
	like($answer->{body}, qr/$header/, '5: and told why');
}
is($node->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', '5: the code is still good');
isa_ok(PhoenixSocket->open_socket($port, "/sync/websocket?code=$code"), 'PhoenixSocket', '6: /sync/websocket');
refused("/sync/websocket?code=$code", 403, 'Code already used', '3: row 13; 4: the second use of a code');
isa_ok(PhoenixSocket->open_socket($port, '/x/y/sync/websocket?code=' . new_code($node)), 'PhoenixSocket', '6: /x/y/sync/websocket');
isa_ok(PhoenixSocket->open_socket($port, '/postgres/sync/websocket/?vsn=2.0.0&code=' . new_code($node)), 'PhoenixSocket', '6: with a slash at the end');
like(http_request($port, PhoenixSocket::request('/notsync/websocket?code=x', Connection => 'close, upgrade')), qr{\AHTTP/1.1 404 }, '6: nothing else');

{
	# All have the answer before the first of them closes.
	my $code = new_code($node);
	my @sockets = map { my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port); syswrite($s, PhoenixSocket::request("/sync/websocket?code=$code")); $s } 1 .. 20;
	my %seen;
	foreach my $socket (@sockets) { sysread($socket, my $answer, 4096); $seen{ $answer =~ m{\AHTTP/1.1 (\d+)} ? $1 : 'none' }++; }
	is($seen{101}, 1, '4: twenty at once, one gets in');
	is(join(',', grep { !/^(101|403|503)$/ } keys %seen), '', '4: the others are refused, or find no room to ask');
}

# ---- join ------------------------------------------------------------------------------------------

{
	my $code = new_code($node);
	my $ws = PhoenixSocket->open_socket($port, "/sync/websocket?code=$code&vsn=2.0.0",
		Host => 'localhost:5480', 'User-Agent' => 'Test/1', Origin => 'https://r.example', 'Accept-Language' => "de\xE4");
	like($ws->{head}, qr/Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r/, '7: the answer to the key');
	unlike($ws->{head}, qr/Extensions|Protocol:/i, '7: no extension, no subprotocol');
	$ws->send_json(undef, '1', "transfer:$code", 'request:tables', { ref => '1' });
	$ws->send_json(undef, '7', 'phoenix', 'heartbeat', {});
	is($ws->receive_text, '[null,"7","phoenix","phx_reply",{"status":"ok","response":{}}]', '10: a heartbeat before the join is answered, a request is not');
	ok($ws->quiet(0.3), '10: and nothing follows');
	$ws->send_json(undef, '1', 'transfer:WRONG', 'phx_join', {});
	is($ws->receive_text, '[null,"1","transfer:WRONG","phx_reply",{"status":"error","response":{"reason":"code_mismatch"}}]', '8: a wrong topic');
	$ws->send_text(qq([null,"2","transfer:$code","request:tables",{"ref":"2"}]));
	$ws->send_text(qq(["7",2,"transfer:$code","phx_join",{"receiver_info":{"site_url":"https://r.example","project_title":"Shop \x{C3}\x{A4}\\u0000"}}]));
	is($ws->receive_text, qq([null,2,"transfer:$code","phx_reply",{"status":"ok","response":{}}]), '8, 9: then the right one; join_ref is null, an integer ref stays one');
	$ws->send_json(undef, '1', "transfer:$code", 'phx_join', undef);
	is($ws->receive_text, qq([null,"1","transfer:$code","phx_reply",{"status":"ok","response":{}}]), '7: the reply to a join, also to another one');
	$ws->{code} = $code;
	is_deeply([ $ws->ask('request:count', table => 'users', ref => '1') ], [ 'response:count', { count => 2500, ref => '1' } ], '11: a ref that was used');
	$ws->send_text('[null,"9","phoenix","heartbeat",null]');
	is($ws->receive_text, '[null,"9","phoenix","phx_reply",{"status":"ok","response":{}}]', '10: a heartbeat without payload');
	my $info = decode_json($node->safe_psql('postgres', "SELECT metadata FROM sync_get_session('$code')"));
	is_deeply($info->{receiver_info}, { site_url => 'https://r.example', project_title => "Shop \x{E4}" }, 'receiver_info is kept');
	my $connection = $info->{connection_info};
	like(delete $connection->{connected_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'connection_info has a time');
	is_deeply($connection, {
			remote_ip => '127.0.0.1', user_agent => 'Test/1', origin => 'https://r.example', referer => undef, host => 'localhost', port => '5480',
			scheme => 'ws', request_path => '/sync/websocket', query_string => 'code=***&vsn=2.0.0', websocket_version => '13', accept_language => 'de?' },
		'and what else is known, without the code');
	$ws->send_json(undef, '1', "transfer:$code", 'phx_join', { receiver_info => { long => 'x' x 5000 } });
	is($ws->receive->[4]{status}, 'ok', 'more than fits is no reason not to join');
	is($node->safe_psql('postgres', "SELECT metadata->'receiver_info'->>'site_url' FROM sync_get_session('$code')"), 'https://r.example', 'but is not kept');
	is($ws->close, 1000, 'the peer closes');
	wait_for(sub { $node->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')") eq 'completed' }, 'the session is completed');
}

# ---- requests --------------------------------------------------------------------------------------

my $ws = PhoenixSocket->joined($node);
{
	my ($event, $payload) = $ws->ask('request:capabilities', ref => '3');
	is($event, 'response:capabilities', '12: capabilities');
	is_deeply([ @{ $payload->{capabilities} }{qw(version features)}, $payload->{ref} ], [ '1.0.0', [qw(list_tables get_schema fetch_records)], '3' ], '12: what they say');
	like($payload->{capabilities}{phoenix_kit_version}, qr/^0\.\d+\.\d+$/, '12: of a release that can send schemas');
	my ($tables, $list) = $ws->ask('request:tables');
	is_deeply([ map { $_->{name} } @{ $list->{tables} } ], [ 'Odd Name', qw(awkward big composite empty keyless users) ], '13: the tables, sorted, without excluded ones');
	is_deeply((grep { $_->{name} eq 'users' } @{ $list->{tables} })[0], { name => 'users', estimated_count => 2500 }, '13: with their counts');

	my ($schema, $users) = $ws->ask('request:schema', table => 'users');
	is($schema, 'response:schema', '14: a schema');
	is_deeply($users->{schema}, {
			table => 'users', schema => 'public', primary_key => ['id'],
			columns => [
				{ name => 'id', type => 'bigint', nullable => JSON::PP::false, primary_key => JSON::PP::true, default => "nextval('public.users_id_seq'::regclass)", max_length => undef, precision => 64, scale => 0 },
				{ name => 'name', type => 'varchar(40)', nullable => JSON::PP::false, primary_key => JSON::PP::false, default => "'x'::character varying", max_length => 40, precision => undef, scale => undef },
				{ name => 'tags', type => 'integer[]', nullable => JSON::PP::true, primary_key => JSON::PP::false, default => undef, max_length => undef, precision => undef, scale => undef },
				{ name => 'score', type => 'numeric(10,2)', nullable => JSON::PP::true, primary_key => JSON::PP::false, default => undef, max_length => undef, precision => 10, scale => 2 } ] },
		'14: with every key');
	is_deeply([ $ws->ask('request:schema', table => 'nix') ], [ 'response:error', { error => 'Table not found: nix', ref => '9' } ], '14: of an unknown table');
	foreach my $name ('nix', 'a_view', 'other.hidden', 'hidden', "a\0b", 'x' x 100)
	{
		is_deeply([ $ws->ask('request:count', table => $name) ], [ 'response:error', { error => 'Failed to get count: :table_not_found', ref => '9' } ], '15: an unknown table');
	}
	is_deeply([ $ws->ask('request:records', table => 'a_view') ], [ 'response:error', { error => 'Failed to fetch records: :table_not_found', ref => '9' } ], '15: records of none');
	foreach my $event (qw(schema count records))
	{
		is_deeply([ $ws->ask("request:$event", table => 'schema_migrations') ], [ 'response:error', { error => 'Access denied to table: schema_migrations', ref => '9' } ], "13: $event of an excluded table");
	}
	is(($ws->ask('request:count', table => 'Odd Name'))[1]{count}, 0, 'a name is not quoted');
}
{
	my ($event, $page) = $ws->ask('request:records', table => 'composite');
	is($event, 'response:records', '16: records');
	is(scalar @{ $page->{records} }, 100, '16: a hundred of them');
	is_deeply([ map { [ $_->{a}, $_->{b} ] } @{ $page->{records} } ], [ map { [ int($_ / 20), $_ % 20 ] } 0 .. 99 ], '16: in the order of the key');
	is_deeply([ @$page{qw(offset has_more ref)} ], [ 0, JSON::PP::true, '9' ], '16: offset 0, and there are more');

	my (%seen, @sizes, $pages);
	for (my $offset = 0, my $more = 1; $more; $offset += 500)
	{
		my (undef, $page) = $ws->ask('request:records', table => 'users', offset => $offset, limit => 500);
		$seen{ $_->{id} }++ foreach @{ $page->{records} };
		push @sizes, scalar @{ $page->{records} };
		$more = $page->{has_more} && @sizes < 10;
	}
	is("@sizes", '500 500 500 500 500', '17: pages of 500, and has_more is true');
	is_deeply([ sort { $a <=> $b } keys %seen ], [ 1 .. 2500 ], '17: no row missing');
	is((grep { $_ != 1 } values %seen), 0, '17: none twice');
	my @rows;
	for (my $offset = 0, my $more = 1; $more; $offset += 2000)
	{
		my (undef, $page) = $ws->ask('request:records', table => 'users', offset => $offset, limit => 2000);
		push @rows, map { $_->{id} } @{ $page->{records} };
		$more = $page->{has_more};
	}
	is_deeply(\@rows, [ 1 .. 2500 ], '18: nor with pages of 2000');
	my %keyless;
	foreach my $offset (0, 100, 200) { $keyless{ $_->{v} }++ foreach @{ ($ws->ask('request:records', table => 'keyless', offset => $offset))[1]{records} }; }
	is(scalar keys %keyless, 300, '16: without a key the pages do not overlap either');
}
{
	my $ask = sub { my ($event, $page) = $ws->ask('request:records', table => 'users', @_); return $event eq 'response:error' ? $page->{error} : [ scalar @{ $page->{records} }, $page->{has_more} ? 1 : 0, $page->{offset} ]; };
	is_deeply($ask->(limit => undef), [ 1000, 1, 0 ], '19: limit null');
	is_deeply($ask->(limit => '10'), [ 10, 1, 0 ], '19: limit "10"');
	is_deeply($ask->(limit => 0), [ 0, 1, 0 ], '19: limit 0');
	like($ask->(limit => -1), qr/^Failed to fetch records: limit /, '19: limit -1');
	like($ask->(limit => 1.5), qr/^Failed to fetch records: limit /, '19: limit 1.5');
	like($ask->(limit => [1]), qr/^Failed to fetch records: limit /, '19: limit [1]');
	like($ask->(limit => '10x'), qr/^Failed to fetch records: limit /, '19: limit "10x"');
	like($ask->(limit => 10001), qr/^Failed to fetch records: limit 10001 is above 10000/, '19: above the ceiling');
	is_deeply($ask->(limit => 10000), [ 2500, 0, 0 ], '19: at the ceiling');
	is_deeply($ask->(offset => -5, limit => 3), [ 3, 1, -5 ], '19: offset -5');
	is_deeply($ask->(offset => undef, limit => 3), [ 3, 1, 0 ], '19: offset null');
	is_deeply($ask->(offset => 2499, limit => 3), [ 1, 0, 2499 ], '19: the last row');
	is_deeply($ask->(offset => 99999999999), [ 0, 0, 99999999999 ], '19: far behind it');
	like($ask->(offset => 1.5), qr/^Failed to fetch records: offset /, '19: offset 1.5');
	$ws->send_text(qq([null,"1","t","request:records",{"table":"users","limit":1e300,"offset":18446744073709551615,"ref":{"a":[1]}}]));
	my $answer = $ws->receive;
	is_deeply([ $answer->[3], $answer->[4]{ref} ], [ 'response:error', { a => [1] } ], '19: numbers that are none; a ref may be anything');
	is_deeply(($ws->ask('request:records', table => 'empty'))[1], { records => [], offset => 0, has_more => JSON::PP::false, ref => '9' }, '19: an empty table');
}

{
	# What no form of PhoenixKit's holds, in the form that does.
	my $exact = PhoenixSocket->joined($node, payload => { accept_encoding => [ 'other', 'pgtext' ] });
	my ($event, $page) = $exact->ask('request:records', table => 'awkward');
	is_deeply($page, {
			encoding => 'pgtext', offset => 0, has_more => JSON::PP::false, ref => '9',
			records => [
				{ id => '1', a => 'infinity', b => '[0:1]={1,NULL}', c => 'null', d => '\xff', e => '00000000-0000-0000-0000-0000000000ff', f => 'NaN' },
				{ id => '2', map { $_ => undef } 'a' .. 'f' } ] },
		'49: the lossless form, where the peer knows it');
	is($exact->close, 1000, 'closed');
	(undef, $page) = $ws->ask('request:records', table => 'awkward');
	ok(!exists $page->{encoding}, '49: and only there');
	is($page->{records}[0]{e}, '00000000-0000-0000-0000-0000000000ff', '49: PhoenixKit gets its own');
}

# ---- what is passed over -----------------------------------------------------------------------------

{
	my $topic = "transfer:$ws->{code}";
	$ws->send_json(undef, '1', $topic, 'request:tables', {});
	$ws->send_json(undef, '1', $topic, 'request:records', { table => 'users' });
	$ws->send_json(undef, '1', $topic, 'request:nothing', { ref => '1' });
	$ws->send_json(undef, '1', $topic, 'phx_leave', {});
	$ws->send_json(undef, '1', 'phoenix', 'phx_leave', {});
	$ws->send_frame(PhoenixSocket::BINARY, qq([null,"1","phoenix","heartbeat",{}]));
	$ws->send_text($_) foreach '', 'hello', '{"a":1', "\0";
	ok($ws->quiet(0.3), '20: missing ref, unknown event, phx_leave, binary, no JSON: silence');
	$ws->send_text($_) foreach '{"a":1}', '[1,2,3,4]', '5', 'null', '[1,2,3,4,5]', '[null,null,"t","e",{},1]', '"x"', '[' x 10000, '[' x 100 . ']' x 100;
	ok($ws->quiet(0.3), '21: no frames');
	foreach my $event (qw(phx_join heartbeat request:capabilities request:tables request:schema request:count request:records))
	{
		$ws->send_text(qq([null,"1","x","$event",$_])) foreach 'null', '"text"', '[1,{"ref":"1"}]', '5', 'true';
	}
	foreach (1 .. 5) { is($ws->receive->[4]{response}{reason}, 'code_mismatch', '22: a join of anything else'); }
	ok($ws->quiet(0.3), '22: payloads that are no objects');
	foreach my $event (qw(schema count records))
	{
		foreach my $table (undef, 5, [], {}) { is(($ws->ask("request:$event", table => $table))[0], 'response:error', "22: $event of a table that has no name"); }
		is(($ws->ask("request:$event"))[0], 'response:error', "22: $event of no table");
	}
	is(($ws->ask('request:count', table => 'users'))[1]{count}, 2500, '20, 21, 22: and it goes on');
}
{
	my @order = qw(users empty nix big composite);
	my $all = '';
	foreach my $i (0 .. 4) { $all .= PhoenixSocket::frame(PhoenixSocket::TEXT, encode_json([ undef, "$i", 't', 'request:schema', { table => $order[$i], ref => "$i" } ])); }
	$ws->send_bytes($all);
	my @got = map { my $a = $ws->receive; [ $a->[4]{ref}, $a->[4]{schema} ? $a->[4]{schema}{table} : $a->[4]{error} ] } 0 .. 4;
	is_deeply(\@got, [ [ 0, 'users' ], [ 1, 'empty' ], [ 2, 'Table not found: nix' ], [ 3, 'big' ], [ 4, 'composite' ] ], '23: five at once, answered in their order');
}
{
	my $text = encode_json([ undef, '1', 't', 'request:records', { table => 'big', limit => 1000, ref => '25', filler => 'x' x 1_000_000 } ]);
	for (my $at = 0; $at < length $text; $at += 100_000)
	{
		$ws->send_frame($at ? PhoenixSocket::CONTINUATION : PhoenixSocket::TEXT, substr($text, $at, 100_000), more => $at + 100_000 < length $text);
		$ws->send_frame(PhoenixSocket::PING, 'in between');
	}
	my $answer = $ws->receive;
	is_deeply([ scalar @{ $answer->[4]{records} }, $answer->[4]{has_more} ? 1 : 0, $answer->[4]{ref} ], [ 1000, 0, '25' ], '25: a request of 1 MB in fragments, an answer of 20 MB');
	is(length $answer->[4]{records}[999]{v}, 20000, '25: whole');
}
is($ws->close, 1000, 'closed');
{
	my $plain = PhoenixSocket->joined($node);
	$plain->send_frame(PhoenixSocket::TEXT, '[null,"1","phoenix","heartbeat",{}]', plain => 1);
	is($plain->close_code, 1002, '25: frames of clients must be masked');
}

# ---- time --------------------------------------------------------------------------------------------

sub set_idle_timeout
{
	my ($value) = @_;
	$node->append_conf('postgresql.conf', "sync.phoenix_idle_timeout = $value\n");
	$node->reload;
	wait_for(sub { $node->safe_psql('postgres', "SELECT setting::interval = '$value' FROM (SELECT current_setting('sync.phoenix_idle_timeout') AS setting) s") eq 't' }, 'the setting is in force');
}
set_idle_timeout('4s');
{
	my $idle = PhoenixSocket->joined($node);
	my $began = time;
	is($idle->close_code, 1002, '24: silence is closed with 1002');
	cmp_ok(time - $began, '>', 3.9, '24: not too early');
	my $alive = PhoenixSocket->joined($node);
	foreach (1 .. 5)
	{
		sleep 1;
		$alive->send_json(undef, "$_", 'phoenix', 'heartbeat', {});
		is($alive->receive->[1], "$_", '24: a heartbeat keeps it open');
	}
	foreach (1 .. 5) { sleep 1; $alive->send_frame(PhoenixSocket::PING, 'x'); is($alive->receive_frame->[0], PhoenixSocket::PONG, '24: and so does a ping'); }
	is(($alive->ask('request:count', table => 'users'))[1]{count}, 2500, '24: for longer than the limit');
	is($alive->close, 1000, '24: closed');
}

# ---- ends --------------------------------------------------------------------------------------------

set_idle_timeout('10min');
{
	my $socket = PhoenixSocket->joined($node);
	my $began = time;
	$node->safe_psql('postgres', "SELECT sync_delete_session('$socket->{code}')");
	is($socket->close_code, 1000, '28: a session that is deleted closes its socket');
	cmp_ok(time - $began, '<', 30, '28: at once');

	my $owner = background($node, 'SET client_min_messages = error; SELECT code FROM sync_create_session(\'send\') \g ' . $node->data_dir . "/code\nSELECT pg_sleep(120);");
	my $file = $node->data_dir . '/code';
	wait_for(sub { -s $file }, 'a code');
	chomp(my $code = slurp_file($file));
	my $of_owner = PhoenixSocket->open_socket($port, "/sync/websocket?code=$code");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(owner_pid) FROM sync_get_session('$code')");
	is($of_owner->close_code, 1000, '28: so does the end of its owner');
	is($node->safe_psql('postgres', "SELECT count(*) FROM sync_sessions() WHERE code = '$code'"), '0', '28: and the session is gone');
	$owner->{run}->kill_kill;

	my $orphan = new_code($node, ttl => '1 s');
	my $expired = PhoenixSocket->open_socket($port, "/sync/websocket?code=$orphan");
	is($expired->close_code, 1000, '28: and the end of its time');

	my $terminated = PhoenixSocket->joined($node);
	$node->safe_psql('postgres', 'SELECT sync_terminate_peer(pid) FROM sync_peers()');
	is($terminated->close_code, 1000, 'a peer that is terminated is told');
	my $disabled = PhoenixSocket->joined($node);
	$node->safe_psql('postgres', 'SELECT sync_disable()');
	is($disabled->close_code, 1000, 'and one whose database shares no more');
	$node->safe_psql('postgres', 'SELECT sync_enable()');

	my $lost = PhoenixSocket->joined($node);
	CORE::close($lost->{handle});
	wait_for(sub { $node->safe_psql('postgres', "SELECT status FROM sync_get_session('$lost->{code}')") eq 'failed' }, 'a session whose peer was lost has failed');
	refused("/sync/websocket?code=$lost->{code}", 403, 'Code already used', 'and its code is used up');
}

# ---- rights ------------------------------------------------------------------------------------------

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON users, composite, schema_migrations TO reader;
DO $$ BEGIN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO reader', (SELECT oid::regprocedure FROM pg_proc WHERE proname = 'sync_create_session')); END $$;
ALTER TABLE composite ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON composite USING (a < 2 AND 1 / (a - 1) < 5);
SQL
{
	my $reader = PhoenixSocket->joined($node, role => 'reader', tables => "ARRAY['users', 'schema_migrations', 'composite']::regclass[]");
	is(($reader->ask('request:count', table => 'schema_migrations'))[1]{count}, 1, 'an excluded table that the session names');
	is(($reader->ask('request:count', table => 'empty'))[1]{error}, 'Access denied to table: empty', 'not one that it does not name');
	like(($reader->ask('request:records', table => 'composite'))[1]{error}, qr/^Failed to fetch records: division by zero/, 'an error of the database is told');
	is(($reader->ask('request:count', table => 'users'))[1]{count}, 2500, 'and the next request works');
	is($reader->close, 1000, 'closed');
	my $any = PhoenixSocket->joined($node, role => 'reader');
	is(($any->ask('request:records', table => 'big'))[1]{error}, 'Access denied to table: big', 'the role may do what it may do');
	is($any->close, 1000, 'closed');
}

no_leftovers($node, 'sender');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
ok(!log_contains($node, qr/\Q$code\E/), 'no code in the log');
my $open = PhoenixSocket->joined($node);
$node->stop('fast');
is($open->close_code, 1000, 'a server that is shut down closes the socket');
done_testing();
