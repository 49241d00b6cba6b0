# Two servers of this extension over PhoenixKit's protocol, by code over its WebSocket and by token over
# its JSON API: they agree on PostgreSQL's own texts, so that no value is lost.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "timezone = 'Asia/Kolkata'\nsync.phoenix_hash_auth = on\n");
my $b = new_sync_node('receiver', conf => "timezone = 'America/New_York'\ndatestyle = 'SQL, DMY'\nextra_float_digits = -3\n");

my $types = q(
	CREATE EXTENSION hstore;
	CREATE TYPE mood AS ENUM ('sad', 'ok "quoted"', 'happy');
	CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN positive AS int CHECK (value > 0);
	CREATE TABLE "All Types" (
		id int PRIMARY KEY, i2 int2, i8 int8, o oid, f4 float4, f8 float8, n numeric, b bool, t text, vc varchar(20), ch char(5),
		u uuid, ba bytea, d date, ti time, tt timetz, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb,
		ia int[], ta text[][], na numeric[], ua uuid[], ja jsonb[], net inet, c cidr, mac macaddr, r int4range, mr nummultirange, tr tstzrange,
		p point, bx box, bt bit(5), vb varbit, tsv tsvector, m money, x xml, h hstore, e mood, co pair, po positive, "Odd ""Name""" text,
		made int GENERATED ALWAYS AS (id * 2) STORED););
my $rows = <<'SQL';
	INSERT INTO "All Types" (id) VALUES (0);
	INSERT INTO "All Types" (id, i2, i8, o, f4, f8, n, b, t, vc, ch, u, ba, d, ti, tt, ts, tz, iv, j, jb, ia, ta, na, ua, ja, net, c, mac, r, mr, tr, p, bx, bt, vb, tsv, m, x, h, e, co, po, "Odd ""Name""")
	VALUES (1, -32768, 9223372036854775807, 4294967295, 0.1, 1e-300, 123456789012345678901234567890.120, true, E'2025-12-15 ä☃\n\t"\\\\', '', 'ab',
		'550e8400-e29b-41d4-a716-446655440000', '\x00ff5c7834', '0044-03-15 BC', '24:00', '12:30:00.123456+05:30', 'infinity', '-infinity', '1 year -2 days 03:00:00.5',
		'{"a": 1.50,  "a": 2}', '"5"', '[0:1]={1,NULL}', '{{a,"b,c"},{NULL,""}}', '{1.50,NaN}', '{550e8400-e29b-41d4-a716-446655440000}', '{"null","\"x\""}',
		'10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '[1,5)', '{[1.5,2.5],(9,)}', '["2020-01-01 00:00:00+00",infinity)', '(1,2.5)', '(1,1),(0,0)',
		'10101', '101', $$'a':1A 'b''c':2$$, 12.34, '<a>&amp;</a>', '"k"=>"v", "n"=>NULL', 'ok "quoted"', '(1,"a,""b")', 5, '5'),
	(2, 0, 0, 0, 'NaN', '-Infinity', 'NaN', false, '{"__phoenix_kit_binary__":"AA=="}', 'x', '', '00000000-0000-0000-0000-000000000000', '', 'infinity', '00:00', '00:00+14',
		'4713-01-01 00:00:00 BC', '0001-01-01 00:00:00+00 BC', '-178000000 years', 'null', 'null', '{}', '{}', '{}', '{}', '{}', '::1', '::/0', '00:00:00:00:00:00', 'empty', '{}', '(,)',
		'(-0,Infinity)', '(0,0),(0,0)', '00000', '', '', -1, '', '', 'sad', '(,)', 1, ''),
	(3, 1, 1, 1, '-0', '-0', '1E-20', true, '12:30:00', 'x', 'x', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '\x61', '5874897-12-31', '12:00', '12:00-01',
		'294276-12-31 23:59:59.999999', '2025-12-15 10:00:00.000001+00', '0', '[]', '{"__type__": "date", "value": "2025-12-15", "n": 1.500}', '{{1},{2}}', '{NULL}', '{-1E-8}', NULL, '{}', '10.1.2.3', NULL, NULL,
		'(,5)', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'happy', NULL, NULL, 'é');
	INSERT INTO "All Types" (id, t, jb, ia) SELECT i, repeat(md5(i::text), i % 50), jsonb_build_object('i', i, 'n', i / 7.0), ARRAY[i, -i, NULL] FROM generate_series(10, 3000) i;
SQL
$_->safe_psql('postgres', $types) foreach $a, $b;
$a->safe_psql('postgres', $rows);

my $all = q(SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';
	SELECT t::text FROM "All Types" t ORDER BY id);
my $there = $a->safe_psql('postgres', $all);
sub by_code
{
	my ($sql, %how) = @_;
	my $code = new_code($a);
	my $url = sync_url($a) . ($how{path} || '');
	return $b->safe_psql('postgres', "SELECT sync_connect('$url', '$code', protocol => 'phoenix') AS c \\gset\n$sql;\nSELECT sync_disconnect(:c) \\g /dev/null\n");
}

foreach my $strategy (qw(overwrite skip))
{
	$b->safe_psql('postgres', 'TRUNCATE "All Types"');
	is(by_code(qq(SELECT created, error_count FROM sync_transfer(:c, '"All Types"', strategy => '$strategy'))), '2995|0', "$strategy: 49: every row");
	is($b->safe_psql('postgres', $all), $there, "$strategy: 49: every text is the same");
}
is(by_code(q(SELECT created, updated, skipped FROM sync_transfer(:c, '"All Types"', strategy => 'overwrite'))), '0|0|2995', 'again: all are equal');

# By token, whole and in pages.
my $token = 't' x 43;
$a->safe_psql('postgres', "SELECT FROM sync_create_connection('peer', 'sender', 'http://localhost:1', '{\"rate_limit_requests_per_minute\": 100000}', token => '$token');
	SELECT FROM sync_approve_connection('peer')");
sub limit_pages { my ($rows) = @_; return $a->safe_psql('postgres', qq(SELECT FROM sync_update_connection('peer', '{"max_records_per_request": $rows}'))); }
sub by_token
{
	my ($sql) = @_;
	my $url = sync_url($a) . '/postgres';
	return $b->safe_psql('postgres', "SELECT sync_connect('$url', token => '$token', protocol => 'phoenix') AS c \\gset\n$sql;\nSELECT sync_disconnect(:c) \\g /dev/null\n");
}
foreach my $page (10000, 1000, 50)
{
	limit_pages($page);
	foreach my $strategy (qw(overwrite skip merge))
	{
		$b->safe_psql('postgres', 'TRUNCATE "All Types"');
		is(by_token(qq(SELECT created, error_count FROM sync_transfer(:c, '"All Types"', strategy => '$strategy'))), '2995|0', "$strategy, $page by token: 49: every row");
		is($b->safe_psql('postgres', $all), $there, "$strategy, $page by token: 49: every text is the same");
	}
}
# The requests that pages take are more than the connection allows in a minute.
$a->safe_psql('postgres', q(SELECT FROM sync_update_connection('peer', '{"rate_limit_requests_per_minute": 30}')));
is(by_token(q(SELECT skipped FROM sync_transfer(:c, '"All Types"'))), '2995', 'by token: a limit on requests is waited for');
$a->safe_psql('postgres', q(SELECT FROM sync_update_connection('peer', '{"rate_limit_requests_per_minute": 100000}')));
limit_pages(10000);
is(by_token(q(SELECT created, updated, skipped FROM sync_transfer(:c, '"All Types"', strategy => 'overwrite'))), '0|0|2995', 'by token: again: all are equal');
is(by_token(q(SELECT count(*) FROM sync_diff(:c, '"All Types"'))), '0', 'by token: and nothing differs');
is(by_token(q(SELECT r ->> 'n', r -> 'b', r -> 'jb', r -> 'i8', r ->> 'ts' FROM sync_remote_fetch(:c, '"All Types"', 1, 1) r)),
	'123456789012345678901234567890.120|true|"5"|9223372036854775807|infinity', 'by token: as JSON too');
is(by_token(q(SELECT protocol FROM sync_clients(); SELECT table_name, created FROM sync_transfer_all(:c, strategy => 'overwrite'))), qq(phoenix\n"All Types"|0), 'by token: all tables');

is(by_code(q(SELECT count(*) FROM sync_diff(:c, '"All Types"')), path => '/some/where'), '0', 'and nothing differs');
is(by_code(q(SELECT r ->> 'n', r -> 'b', r -> 'jb', r -> 'i8', r ->> 'ts' FROM sync_remote_fetch(:c, '"All Types"', 1, 1) r)),
	'123456789012345678901234567890.120|true|"5"|9223372036854775807|infinity', 'as JSON too');
like(by_code('SELECT protocol, peer_version = (SELECT version FROM sync_get_config()) FROM sync_clients()'), qr/^phoenix\|t$/, 'it tells who it is');
$b->safe_psql('postgres', q(DROP TABLE "All Types"; CREATE TABLE fruit (id int)));
$a->safe_psql('postgres', q(CREATE TABLE fruit (id int PRIMARY KEY, kind mood); CREATE TABLE made (id bigint PRIMARY KEY, name varchar(7), list int[], at timestamptz(3), n numeric(8,2) DEFAULT 5)));
is(by_code(q(SELECT created FROM sync_transfer(:c, 'made'); SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0)),
	"0\nid bigint, name character varying(7), list integer[], at timestamp(3) with time zone, n numeric(8,2)", 'a table that is missing is made');
$b->safe_psql('postgres', 'DROP TABLE made');
is(by_token(q(SELECT created FROM sync_transfer(:c, 'made'); SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'made'::regclass AND attnum > 0)),
	"0\nid bigint, name character varying(7), list integer[], at timestamp(3) with time zone, n numeric(8,2)", 'by token: a table that is missing is made');

no_leftovers($a, 'sender');
done_testing();
$_->stop foreach $a, $b;
