# Values of every type as PhoenixKit gets them over HTTP (conformance cases 45, 47 and 48), and in
# the form that loses nothing (case 49), whatever the settings of the server.
use strict;
use warnings;
use JSON::PP;
use PhoenixApi;
use SyncTest;
use Test::More;

my $node = new_sync_node('values', conf => <<'CONF');
DateStyle = 'German'
TimeZone = 'Asia/Kathmandu'
IntervalStyle = 'iso_8601'
extra_float_digits = -10
bytea_output = 'escape'
CONF
my ($token) = token_pair('v');
my $marker = sub { return "{\"__phoenix_kit_binary__\":\"$_[0]\"}" };

# [type, value, as PhoenixKit gets it]
my @values = (
	[ 'int2', '-32768', '-32768' ],
	[ 'int8', '9223372036854775807', '9223372036854775807' ],
	[ 'oid', '4294967295', '4294967295' ],
	[ 'float4', '0.1', '0.1' ],
	[ 'float8', '100', '100' ],
	[ 'float8', '1e16', '1e+16' ],
	[ 'float8', 'NaN', '"NaN"' ],
	[ 'float8', 'Infinity', '"Infinity"' ],
	[ 'numeric', '12.00', '12' ],
	[ 'numeric', '12.50', '12.50' ],
	[ 'numeric', '0.00000001', '0.00000001' ],
	[ 'numeric', '123456789012345678901234567890', '123456789012345678901234567890' ],
	[ 'numeric', '123456789012345.678', '"123456789012345.678"' ],
	[ 'numeric', 'NaN', '"NaN"' ],
	[ 'numeric', '-Infinity', '"-Infinity"' ],
	[ 'bool', 't', 'true' ],
	[ 'text', "it's \"text\" \\ \x{c3}\x{a9}", "\"it's \\\"text\\\" \\\\ \x{c3}\x{a9}\"" ],
	[ 'text', '2025-12-15', $marker->('MjAyNS0xMi0xNQ==') ],
	[ 'text', '12:30:00', $marker->('MTI6MzA6MDA=') ],
	[ 'text', '2025-12-15T18:56:59Z', $marker->('MjAyNS0xMi0xNVQxODo1Njo1OVo=') ],
	[ 'text', '1.5', '"1.5"' ],
	[ 'text', '', '""' ],
	[ 'varchar(12)', '2025-12-15', $marker->('MjAyNS0xMi0xNQ==') ],
	[ 'char(5)', 'ab', '"ab   "' ],
	[ 'mood', "it's ok", '"it\'s ok"' ],
	[ 'name', 'nm', '"nm"' ],
	[ 'uuid', '41424344-4546-4748-494a-4b4c4d4e4f50', $marker->('QUJDREVGR0hJSktMTU5PUA==') ],
	[ 'bytea', '\x61', $marker->('YQ==') ],
	[ 'bytea', '\x5c7834', $marker->('XHg0') ],
	[ 'bytea', '\x', $marker->('') ],
	[ 'date', '2025-12-15', '"2025-12-15"' ],
	[ 'date', '0044-03-15 BC', '"0044-03-15 BC"' ],
	[ 'date', 'infinity', '"infinity"' ],
	[ 'time', '12:30', '"12:30:00"' ],
	[ 'time', '12:30:00.5', '"12:30:00.5"' ],
	[ 'timetz', '00:30+02', '"22:30:00"' ],
	[ 'timestamp', '2025-12-15 18:56:59.387453', '"2025-12-15T18:56:59.387453"' ],
	[ 'timestamptz', '2025-12-15 18:56:59+02', '"2025-12-15T16:56:59Z"' ],
	[ 'timestamptz', '-infinity', '"-infinity"' ],
	[ 'timestamptz', '0044-03-15 00:00:00+00 BC', '"0044-03-15 00:00:00+00 BC"' ],
	[ 'interval', '1 mon 2 days 03:00', '"1 mon 2 days 03:00:00"' ],
	[ 'jsonb', '{"a": [1.50, {"__phoenix_kit_binary__": "QQ=="}]}', '{"a":[1.50,{"__phoenix_kit_binary__":"QQ=="}]}' ],
	[ 'jsonb', '"str"', '"str"' ],
	[ 'jsonb', '5', '5' ],
	[ 'jsonb', '"5"', '"5"' ],
	[ 'jsonb', 'null', 'null' ],
	[ 'jsonb', '{"__type__": "date", "value": 1}', '{"value":1,"__type__":"date"}' ],
	[ 'json', '{"a": 1.50}', '{"a":1.50}' ],
	[ 'int[]', '{{1,2},{3,NULL}}', '[[1,2],[3,null]]' ],
	[ 'int[]', '{}', '[]' ],
	[ 'text[]', '{a,"b\"c",NULL}', '["a","b\"c",null]' ],
	[ 'numeric[]', '{1.50,12345678901234567.5}', '[1.50,"12345678901234567.5"]' ],
	[ 'float8[]', '{1,NaN}', '[1,"NaN"]' ],
	[ 'bool[]', '{t,f}', '[true,false]' ],
	[ 'uuid[]', '{41424344-4546-4748-494a-4b4c4d4e4f50}', '["41424344-4546-4748-494a-4b4c4d4e4f50"]' ],
	[ 'jsonb[]', '{"{\"a\": 1}"}', '["{\"a\": 1}"]' ],
	[ 'box[]', '{(2,2),(1,1);(1,1),(0,0)}', '["(2,2),(1,1)","(1,1),(0,0)"]' ],
	[ 'inet', '10.0.0.1/8', '"10.0.0.1/8"' ],
	[ 'int4range', '[1,5)', '"[1,5)"' ],
	[ 'point', '(1,2)', '"(1,2)"' ],
	[ 'hstore', '"a"=>"1", "b"=>NULL', '{"a":"1","b":null}' ],
	[ 'bit(8)', '01000001', $marker->('QQ==') ],
	[ 'tsvector', "'a':1", "\"'a':1\"" ],
	[ 'money', '$1.50', '"$1.50"' ],
	[ 'amount', '7.00', '7' ],
	[ 'pair', '(1,"x y")', '"(1,\"x y\")"' ]);

my $literal = sub { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" };
my $columns = join ', ', map { "c$_ $values[$_][0]" } 0 .. $#values;
my $row = join ', ', map { $literal->($values[$_][1]) . "::$values[$_][0]" } 0 .. $#values;
$node->safe_psql('postgres', <<"SQL");
SET client_min_messages = error; SET lc_monetary = 'C'; SET DateStyle = 'ISO';
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('it''s ok'); CREATE DOMAIN amount AS numeric(10,2); CREATE TYPE pair AS (a int, "b" text);
CREATE TABLE v (id int PRIMARY KEY, $columns, gone int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO v VALUES (1, $row); INSERT INTO v (id) VALUES (2);
CREATE TABLE keyed (k text PRIMARY KEY); INSERT INTO keyed VALUES ('1.5'), ('-20.25'), ('1'), ('x'), ('2025-12-15');
SELECT sync_create_connection('Peer', 'sender', 'http://localhost:1', token => '$token');
SELECT sync_approve_connection('Peer');
SQL

my ($status, $body) = api($node, 'pull-data', { auth_token => $token, table_name => 'v' });
is($status, 200, 'pulled');
for my $i (0 .. $#values)
{
	my ($type, $value, $expected) = @{ $values[$i] };
	my $pattern = join '\s*', map { quotemeta } $expected =~ /("(?:[^"\\]|\\.)*"|[^\s"])/g;
	like($body, qr/"c$i":\s*$pattern[,}]/, "case 45: $type $value") or diag($body =~ /("c$i":.{0,100})/);
}
my $decoded = JSON::PP->new->utf8->decode($body);
is_deeply($decoded->{data}[1], { id => 2, map { ("c$_" => undef) } 0 .. $#values }, 'nulls; generated columns are left out');
is($decoded->{encoding}, undef, 'no other encoding than was asked for');

my $keys = (api($node, 'pull-data', { auth_token => $token, table_name => 'keyed' }))[2];
is_deeply({ map { ref $_->{k} ? ($_->{k}{__phoenix_kit_binary__} => 1) : ($_->{k} => 0) } @{ $keys->{data} } },
	{ 'MS41' => 1, 'LTIwLjI1' => 1, '1' => 0, 'x' => 0, 'MjAyNS0xMi0xNQ==' => 1 }, 'keys that look like decimal numbers');

# ---- pgtext ------------------------------------------------------------------------------------

for my $operation ('pull-data', 'table-records')
{
	my $answer = (api($node, $operation, { auth_token => $token, table_name => 'v', accept_encoding => ['pgtext'] }))[2];
	is($answer->{encoding}, 'pgtext', "case 49: $operation says so");
	my $got = ($answer->{data} || $answer->{records})->[0];
	is($got->{c1}, '9223372036854775807', "case 47: $operation: text, for numbers too");
	my $texts = join ', ', map { $literal->($got->{"c$_"}) } 0 .. $#values;
	utf8::encode($texts);
	is($node->safe_psql('postgres', <<"SQL"), 't', "case 49: $operation: the row is the same when its texts are read");
SET client_min_messages = error; SET lc_monetary = 'C'; SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
CREATE TEMP TABLE w (LIKE v INCLUDING ALL); INSERT INTO w VALUES (1, $texts);
SELECT v::text = w::text FROM v, w WHERE v.id = 1
SQL
}

$node->stop;
done_testing();
