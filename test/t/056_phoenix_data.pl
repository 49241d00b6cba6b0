# PhoenixKit's HTTP JSON API: lists, definitions and rows of tables (conformance cases 33 and 37 to
# 40), within what the connection allows.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;
use PhoenixApi;
use SyncTest;
use Test::More;

my $node = new_sync_node('data');
my $error = sub { return "$_[0] {\"error\":\"$_[1]\",\"success\":false}" };
my ($token, $hash) = token_pair('d');
my $sql = sub { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]") };
my $names = sub { return join ' ', map { $_->{name} } @{ $_[0]{tables} } };
# One with the token itself, unless it is told otherwise.
my $ask = sub {
	my ($operation, %parameters) = @_;
	return api($node, $operation, { auth_token => $token, %parameters });
};
my $set = sub {
	my ($settings) = @_;
	$sql->("SELECT sync_update_connection('Peer', '$settings')");
	# One that had come to a limit may have been marked as expired by now.
	$sql->("UPDATE sync_connections SET status = 'active' WHERE status = 'expired'");
};

$sql->(<<'SQL');
CREATE ROLE serves; GRANT serves TO CURRENT_USER;
CREATE TABLE users (id int PRIMARY KEY, name text, secret text);
INSERT INTO users SELECT i, 'user ' || i, 's' FROM generate_series(1, 250) i;
CREATE TABLE "Order Items" (id uuid PRIMARY KEY, user_id int REFERENCES users, parent uuid REFERENCES "Order Items", "order" text);
INSERT INTO "Order Items" SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid, i, NULL, 'o' || i FROM generate_series(1, 20) i;
CREATE TABLE "select" (a int, b text, c int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (b, a));
INSERT INTO "select" (a, b) SELECT i, chr(97 + i % 3) FROM generate_series(1, 9) i;
CREATE TABLE nokey (x int); INSERT INTO nokey VALUES (3), (1), (2);
CREATE TABLE none (id int PRIMARY KEY);
CREATE TABLE large (id int PRIMARY KEY); INSERT INTO large SELECT generate_series(1, 10001);
CREATE TABLE oban_jobs (id int); CREATE TABLE schema_migrations (version int); CREATE TABLE phoenix_kit_user_tokens (id int);
CREATE TABLE hidden (id int); CREATE SEQUENCE counter;
CREATE TABLE broken (id int PRIMARY KEY, v int); INSERT INTO broken VALUES (1, 1), (2, 0);
CREATE VIEW three AS SELECT id, name FROM users WHERE id <= 3;
CREATE VIEW divides AS SELECT 1 / v AS x FROM broken;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO serves; REVOKE SELECT ON hidden FROM serves;
SQL
$sql->("SELECT sync_create_connection('Peer', 'sender', 'http://localhost:1', token => '$token', run_as => 'serves')");

# ---- who may -----------------------------------------------------------------------------------

my @routes = ('list-tables', 'pull-data', 'table-schema', 'table-records');
for my $route (@routes)
{
	my @fields = ('auth_token_hash', $route eq 'list-tables' ? () : 'table_name');
	my $expected = $route =~ /^table/ ? $error->(400, 'Missing required fields: ' . join(', ', @fields)) : missing(@fields);
	is(answers(api($node, $route, {})), $expected, "case 33: $route: fields");
	is(answers($ask->($route, auth_token => (token_pair('x'))[0], table_name => 'users')), $error->(401, 'Invalid connection'), "case 33: $route: an unknown token");
	is(answers($ask->($route, table_name => 'users')), $error->(403, 'Connection is not active'), "case 33: $route: a pending connection");
}
is(answers(api($node, 'pull-data', { auth_token_hash => $hash })), missing('table_name'), 'case 33: one of the fields');
$sql->("SELECT sync_approve_connection('Peer')");
is(answers(api($node, 'list-tables', { auth_token_hash => $_ })), $error->(401, 'Invalid connection'), 'case 33: the hash alone is no credential')
  for ($hash, uc $hash, 5, {}, [$hash]);
is((api($node, 'table-schema', { table_name => 'users' }, headers => ["Authorization: Bearer $token"]))[0], 200, 'the token in a header');
$sql->("SELECT 1; ALTER SYSTEM SET sync.phoenix_hash_auth = on");
$sql->('SELECT pg_reload_conf()');
wait_for(sub { (api($node, 'list-tables', { auth_token_hash => $hash }))[0] eq '200' }, 'sync.phoenix_hash_auth lets the hash in');
is(answers(api($node, 'list-tables', { auth_token_hash => $_ })), $error->(401, 'Invalid connection'), 'case 33: no other hash') for (uc $hash, 5, {});

# ---- list-tables -------------------------------------------------------------------------------

my ($status, undef, $list) = $ask->('list-tables');
is($names->($list), 'Order Items broken large nokey none select users', 'case 37: tables, by name');
is_deeply([ sort keys %{ $list->{tables}[0] } ], [qw(checksum depends_on name row_count size_bytes)], 'case 37: five keys');
my %table = map { $_->{name} => $_ } @{ $list->{tables} };
is($table{users}{checksum}, $sql->("SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM users t"), 'case 37: checksum');
is($table{select}{checksum}, $sql->("SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM \"select\" t"), 'case 37: checksum of a table with a keyword for a name');
is($table{none}{checksum}, 'empty', 'case 37: no row');
is($table{large}{checksum}, undef, 'case 37: more than 10000 rows');
is($table{large}{row_count}, 10001, 'case 37: counted');
is_deeply($table{'Order Items'}{depends_on}, [ 'Order Items', 'users' ], 'case 37: depends_on, names as they are');
is($table{users}{size_bytes}, $sql->("SELECT pg_total_relation_size('users')"), 'case 37: size');

# ---- table-schema ------------------------------------------------------------------------------

(undef, undef, my $schema) = $ask->('table-schema', table_name => 'select');
is_deeply($schema->{schema}, JSON::PP->new->decode(<<'JSON'), 'case 39: both sets of keys, without the generated column');
{"table_name": "select", "table": "select", "schema": "public", "primary_key": ["b", "a"], "columns": [
 {"column_name": "a", "data_type": "integer", "is_nullable": "NO", "column_default": null, "character_maximum_length": null,
  "name": "a", "type": "integer", "nullable": false, "primary_key": true, "default": null, "max_length": null, "precision": 32, "scale": 0},
 {"column_name": "b", "data_type": "text", "is_nullable": "NO", "column_default": null, "character_maximum_length": null,
  "name": "b", "type": "text", "nullable": false, "primary_key": true, "default": null, "max_length": null, "precision": null, "scale": null}]}
JSON
is_deeply((($ask->('table-schema', table_name => $_))[2])->{schema}{primary_key}, $_ eq 'users' ? ['id'] : [], "case 39: primary_key of $_") for ('users', 'nokey', 'three');

# ---- pull-data ---------------------------------------------------------------------------------

($status, my $body, my $pulled) = $ask->('pull-data', table_name => 'users');
is("$status $pulled->{success} $pulled->{table} " . @{ $pulled->{data} }, '200 1 users 250', 'case 38: all rows');
is_deeply($pulled->{data}[249], { id => 250, name => 'user 250', secret => 's' }, 'case 38: in the order of the key');
is_deeply((($ask->('pull-data', table_name => 'three'))[2])->{data}, [ map { { id => $_, name => "user $_" } } 1 .. 3 ], 'case 38: a view');
is_deeply([ map { "$_->{b}$_->{a}" } @{ (($ask->('pull-data', table_name => 'select'))[2])->{data} } ], [qw(a3 a6 a9 b1 b4 b7 c2 c5 c8)], 'case 38: a keyword for a name, a composite key');
is(scalar @{ (($ask->('pull-data', table_name => 'Order Items', conflict_strategy => 'nonsense'))[2])->{data} }, 20, 'case 38: a name of mixed case');
is_deeply((($ask->('pull-data', table_name => 'users', ids => [ 7, '9', 5.0 ]))[2])->{data}, [ map { { id => $_, name => "user $_", secret => 's' } } 5, 7, 9 ], 'pull-data of some ids');
is(scalar @{ (($ask->('pull-data', table_name => 'users', id_start => 11, id_end => 20))[2])->{data} }, 10, 'pull-data of a range');
is(answers($ask->('pull-data', table_name => $_)), $error->(404, 'Table not found'), "case 38: no table $_") for ('nothing', 'users; DROP TABLE users', 'public.users', 'counter');
is(answers($ask->('pull-data', table_name => $_)), $error->(403, 'This connection is not authorised to access that table'), "no right to $_")
  for ('hidden', 'oban_jobs', 'schema_migrations', 'phoenix_kit_user_tokens');
is(answers($ask->('pull-data', table_name => 'divides')), $error->(500, 'Failed to pull data'), 'case 38: an error of the server');
wait_for(sub { $sql->("SELECT count(*) FROM sync_transfers WHERE table_name = 'users' AND status = 'completed'") eq '3' }, 'case 38: the history has what was served');
is($sql->("SELECT direction, records_transferred, requester_ip, completed_at IS NOT NULL FROM sync_transfers WHERE table_name = 'users' ORDER BY records_transferred DESC LIMIT 1"), 'send|250|127.0.0.1|t', 'case 38: a row of it');
is($sql->("SELECT downloads_used, records_downloaded, total_transfers, last_connected_at IS NOT NULL FROM sync_connections"), '7|296|6|t', 'case 38: counters');
$set->('{"max_records_per_request": 3}');
is(scalar @{ (($ask->('pull-data', table_name => 'users'))[2])->{data} }, 3, 'case 38: max_records_per_request is the limit');
$set->('{"max_records_per_request": 10000}');

# ---- table-records -----------------------------------------------------------------------------

my $ids = sub {
	my ($table, %parameters) = @_;
	my (undef, $text, $answer) = $ask->('table-records', table_name => $table, %parameters);
	return $text unless $answer && $answer->{records};
	return join ' ', map { $_->{id} // $_->{x} // "$_->{b}$_->{a}" } @{ $answer->{records} };
};
is($ids->('users'), join(' ', 1 .. 10), 'case 40: ten rows');
is(scalar(split / /, $ids->('users', limit => 500)), 100, 'case 40: limit 500 is 100');
is($ids->('users', limit => '2x', offset => '3y'), '4 5', 'case 40: limit and offset as strings');
is($ids->('users', limit => 0), '', 'limit 0');
is($ids->('users', limit => -1, offset => -5), '', 'negative ones');
is($ids->('users', ids => [ 3, '5', 1 ]), '1 3 5', 'case 40: ids');
is($ids->('users', ids => [], limit => 2), '1 2', 'case 40: no ids are no filter');
is($ids->('users', ids => [2], id_start => 5), '2', 'case 40: ids come first');
is($ids->('users', id_start => 248), '248 249 250', 'case 40: a range without an end');
is($ids->('users', id_end => '2'), '1 2', 'case 40: a range without a start');
is($ids->('users', id_start => 3, id_end => 4), '3 4', 'case 40: a closed range');
is(answers($ask->('table-records', table_name => 'users', ids => ['x'])), $error->(500, 'Failed to get records'), 'an id of another type');
is(answers($ask->('table-records', table_name => 'users', ids => [{}])), $error->(500, 'Failed to get records'), 'an id that is none');
is(answers($ask->('table-records', table_name => 'users', ids => [ 1 .. 1001 ])), $error->(400, 'More than 1000 ids'), 'too many ids');
my $uuid = '00000000-0000-0000-0000-000000000007';
my $marker = { __phoenix_kit_binary__ => 'AAAAAAAAAAAAAAAAAAAABw==' };
is_deeply((($ask->('table-records', table_name => 'Order Items', ids => [$_]))[2])->{records}, [ { id => $marker, user_id => 7, parent => undef, order => 'o7' } ],
	'case 40: a uuid as ' . (ref $_ ? 'marker' : 'text')) for ($uuid, uc $uuid, $marker);
is($ids->('select', ids => ['b']), 'b1 b4 b7', 'case 40: a composite key, by its first column');
is($ids->('select', limit => 4), 'a3 a6 a9 b1', 'case 40: in the order of all of them');
is($ids->('nokey'), '3 1 2', 'case 40: no key');
like($ids->('nokey', ids => [1]), qr/no primary key/, 'case 40: no key, and ids');
is(answers($ask->('table-records', table_name => 'nothing')), $error->(404, 'Table not found'), 'case 33: no such table');
is($ids->('three', limit => 1), '1', 'a view');
is($sql->('SELECT downloads_used FROM sync_connections'), '8', 'table-records is no download');

# ---- what the connection allows ----------------------------------------------------------------

$set->('{"allowed_tables": ["users", "oban_jobs"], "excluded_tables": ["none"]}');
is($names->(($ask->('list-tables'))[2]), 'users', 'only allowed tables are listed');
is(answers($ask->($_, table_name => 'large')), $error->(403, 'This connection is not authorised to access that table'), "$_: a table that is not allowed")
  for ('pull-data', 'table-schema', 'table-records');
is((($ask->('pull-data', table_name => 'oban_jobs'))[0]), 200, 'one that is named although it is left out elsewhere');
$set->('{"allowed_tables": [], "excluded_tables": [], "max_records_total": 330}');
my $left = 330 - $sql->('SELECT records_downloaded FROM sync_connections');
is(scalar @{ (($ask->('pull-data', table_name => 'users'))[2])->{data} }, $left, 'no more records than are left');
is(answers($ask->($_, table_name => 'users')), $error->(403, 'Record limit reached'), "$_: none is left") for ('pull-data', 'table-records');
$set->('{"max_records_total": 400}');
$sql->("UPDATE sync_connections SET records_downloaded = 395, status = 'active'");
is(scalar(split / /, $ids->('users', limit => 100)), 5, 'table-records counts against the limit');
is($ids->('users', limit => 100), '{"success":false,"error":"Record limit reached"}', 'and ends at it');

# A peer that reads what it wants of a page and goes has had it.
$sql->(q(CREATE TABLE heavy (id int PRIMARY KEY, v text); INSERT INTO heavy SELECT i, repeat(md5(i::text), 10000) FROM generate_series(1, 100) i));
$sql->('GRANT SELECT ON heavy TO serves');
$set->('{"max_records_total": 100000}');
my $counted = $sql->('SELECT records_downloaded FROM sync_connections');
my $begin = sub {
	my ($operation, %parameters) = @_;
	my $request = encode_json({ auth_token => $token, table_name => 'heavy', %parameters });
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{sync_port}) or die "connect: $!";
	syswrite($socket, join("\r\n", "POST /sync/api/$operation HTTP/1.1", 'Host: x', 'Content-Type: application/json', 'Content-Length: ' . length $request, '', $request));
	return $socket;
};
{
	my $socket = $begin->('table-records', limit => 100);
	ok(sysread($socket, my $some, 65536), 'a page begins to come');
	close $socket;
	wait_for(sub { $sql->('SELECT count(*) FROM sync_peers()') eq '0' }, 'its peer has gone');
	is($ids->('users', limit => 1), '1', 'a page behind it');
	is($sql->('SELECT records_downloaded FROM sync_connections'), $counted + 101, 'a page that was broken off counts');
}

# Who was let in is not hurried any more.
$sql->("SELECT 1; ALTER SYSTEM SET sync.authentication_timeout = '1s'");
$sql->('SELECT pg_reload_conf()');
wait_for(sub { $sql->('SHOW sync.authentication_timeout') eq '1s' }, 'a second to show who one is');
{
	my $socket = $begin->('pull-data');
	sleep 3;
	my ($size, $end) = (0, '');
	while (my $got = sysread($socket, my $chunk, 65536)) { $size += $got; $end = substr($end . $chunk, -9); }
	like($end, qr/\]\}\r\n0\r\n\r\n\z/, "a page that takes longer ($size bytes)");
}
$sql->("SELECT 1; ALTER SYSTEM RESET sync.authentication_timeout");
$sql->('SELECT pg_reload_conf()');
$sql->('DROP TABLE heavy');
$sql->("UPDATE sync_connections SET status = 'active'");
$set->('{"max_records_total": null, "max_downloads": 1}');
is(answers($ask->('pull-data', table_name => 'users')), $error->(403, 'Download limit reached'), 'no download is left');
is($ids->('users', limit => 1), '{"success":false,"error":"Download limit reached"}', 'nor for a page');
$set->('{"max_downloads": ' . ($sql->('SELECT downloads_used FROM sync_connections') + 2) . '}');
is(answers($ask->('table-records', table_name => 'nothing')), $error->(404, 'Table not found'), 'no such table takes none');
is($ids->('users', limit => 1, offset => $_), $_ + 1, 'a page is a download where these are limited') for (0, 1);
is($ids->('users', limit => 1, offset => 2), '{"success":false,"error":"Download limit reached"}', 'so that pages do not go past the limit');
$sql->("UPDATE sync_connections SET status = 'active'");
$set->('{"max_downloads": null, "ip_whitelist": ["10.0.0.0/8"]}');
is(answers($ask->('list-tables')), $error->(403, 'IP address not allowed'), 'another address');
$set->('{"ip_whitelist": [], "rate_limit_requests_per_minute": 2}');
my ($limited, undef, undef) = map { ($ask->('list-tables'))[0] } 1 .. 1;
wait_for(sub { (($ask->('list-tables'))[0]) eq '429' }, 'the rate is limited');
is(answers($ask->('list-tables')), $error->(429, 'Rate limit exceeded'), 'to 429');
$set->('{"rate_limit_requests_per_minute": 60000, "download_password": "pass"}');
is(answers($ask->('list-tables')), $error->(403, 'Invalid password'), 'a password is asked for');
is(answers($ask->('list-tables', password => 'wrong')), $error->(403, 'Invalid password'), 'a wrong one');
is((($ask->('list-tables', password => 'pass'))[0]), 200, 'the right one');
$set->('{"download_password": "", "approval_mode": "per_table", "auto_approve_tables": ["none"]}');
is((($ask->('pull-data', table_name => 'none'))[0]), 200, 'a table that needs no approval');
is(answers($ask->($_, table_name => 'users')), $error->(403, 'Waiting for approval'), "$_: one that does") for ('table-records', 'pull-data');
%table = map { $_->{name} => $_ } @{ (($ask->('list-tables'))[2])->{tables} };
is_deeply([ $table{users}{checksum}, $table{none}{checksum} ], [ undef, 'empty' ], 'of such a table there is no checksum');
is($table{users}{row_count}, 250, 'but a count');
my $transfer = $sql->("SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'");
$sql->("SELECT sync_approve_transfer('$transfer')");
is(scalar @{ (($ask->('pull-data', table_name => 'users'))[2])->{data} }, 250, 'approved');
wait_for(sub { $sql->("SELECT status FROM sync_transfers WHERE uuid = '$transfer'") eq 'completed' }, 'its row is completed');
is(answers($ask->('pull-data', table_name => 'users')), $error->(403, 'Waiting for approval'), 'for one pull');
$sql->("SELECT sync_suspend_connection('Peer')");
is(answers($ask->($_, table_name => 'users')), $error->(403, 'Connection is not active'), "$_: suspended") for @routes;

no_leftovers($node, 'data');
$node->stop;
done_testing();
