# The JSON that goes out over HTTP is the text of what sync_export() returns, and equal records that
# come in again leave nothing behind.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = new_sync_node('node');
$node->safe_psql('postgres', <<'SQL');
CREATE TYPE inner_pair AS ("long name" text, a int);
CREATE TYPE outer_pair AS (p inner_pair, "quoted ""x""" inner_pair[], gone int, t timestamptz);
ALTER TYPE outer_pair DROP ATTRIBUTE gone;
CREATE TYPE empty_pair AS ();
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE shapes (id int PRIMARY KEY, b bool, i2 int2, i8 int8, o oid, f4 float4, f8 float8, n numeric, n2 numeric(8, 3), c "char", t text, v varchar(20), bp char(5),
  d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, by bytea, j json, jb jsonb, ai int[], at text[], aj json[], ajb jsonb[], p outer_pair,
  ap outer_pair[], e empty_pair, dom positive, m money, r int4range, rc regclass, x xml, "Ümlaut ""q"" \ %" text, av int2vector);
INSERT INTO shapes (id) VALUES (0);
INSERT INTO shapes VALUES (1, true, -32768, 9223372036854775807, 4294967295, 1e30, 1e300, 123456789012345678901234567890.1234567890, 1.5, 'x', E'a"b\\c/d\n\r\t\b\f\u0001\u007f', 'v', 'bp',
  '2024-02-29', '12:34:56.789', '12:34:56+05:30', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+05:30', '1 year 2 mons -3 days 04:05:06', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '\x00ff', '{"a" : 1, "a": 2}', '{"b": [1, {"x": null}], "a": 1.50, "longer": "q\"q"}', '{{1,2},{NULL,4}}', '{"a\"b",NULL,"",null}', ARRAY['{"k": 1}', '[]']::json[], ARRAY['null', '{"k": 1}']::jsonb[],
  ROW(ROW('x', 1), ARRAY[ROW('y"', NULL)::inner_pair, NULL], '2024-01-01 00:00+02'), ARRAY[ROW(NULL, '{}', NULL)::outer_pair], ROW(), 5, 12.34, '[1,5)', 'pg_class', '<a b="c"/>', 'ü', '1 2 3');
INSERT INTO shapes VALUES (2, false, 0, -1, 0, 'NaN', '-0', 'NaN', NULL, E'\\303', '', '', '', 'infinity', '24:00', '00:00-15:59', '-infinity', 'infinity', '-1 mon', NULL, '', 'null', 'null', '{}', '{}',
  '{}', '{}', NULL, '{}', NULL, NULL, NULL, 'empty', NULL, NULL, NULL, '');
INSERT INTO shapes VALUES (3, NULL, 1, 1, 1, '-Infinity', 1e-7, 'Infinity', -0.001, E'\\001', repeat('long "text" ', 5000), repeat('ü', 20), 'üü', '4713-01-01 BC', '00:00', NULL, '4713-01-01 BC', '294276-12-31 23:59:59+00', '0',
  NULL, NULL, '"text"', '{"__jsonb__": 1}', '[0:1]={1,2}', '{{{a}}}', NULL, NULL, ROW(NULL, NULL, NULL), NULL, NULL, NULL, -0.01, NULL, NULL, NULL, NULL, NULL);
INSERT INTO shapes (id, f4, f8, n, jb) VALUES (4, 0.1, 123456.789, 1e-20, '[]'), (5, 1e15, 1e16, 0.000, '"s"'), (6, 3e-5, -1.7976931348623157e308, -5, '{"__jsonb__": {"__jsonb__": null}}'), (7, 0, 0, 10000000000, '12.50');
CREATE TABLE nothing (id int); INSERT INTO nothing VALUES (1); ALTER TABLE nothing DROP COLUMN id;
SQL

sub over_http
{
	my ($table) = @_;
	my $url = sync_url($node) . '/sync/v1';
	my $code = new_code($node);
	my $json = 'Content-Type: application/json';
	my ($reply) = run_command([ 'curl', '-s', '-H', $json, '-d', qq({"code": "$code"}), "$url/connect" ]);
	my ($ticket) = $reply =~ /"ticket":"([^"]+)"/ or die "no ticket: $reply";
	my ($rows) = run_command([ 'curl', '-s', '-H', $json, '-H', "Authorization: Bearer $ticket", '-H', 'Accept: application/x-ndjson', '-d', qq({"table": "$table"}), "$url/rows" ]);
	return $rows;
}

foreach my $table (qw(shapes nothing))
{
	my @exported = split /\n/, $node->safe_psql('postgres', "SELECT sync_export('$table')");
	my @received = split /\n/, over_http($table);
	is(scalar @received, scalar @exported, "$table: as many rows");
	is($received[$_], $exported[$_], "$table: row $_ is the same") foreach 0 .. $#exported;
}

# What came out goes in again, and is equal.
my $state = sub {
	return $node->safe_psql('postgres', q(SELECT string_agg(xmin || ' ' || ctid, ',' ORDER BY id) FROM shapes));
};
my $before = $state->();
is( $node->safe_psql('postgres', q(SELECT created, updated, skipped, error_count FROM sync_import('shapes', (SELECT jsonb_agg(r) FROM sync_export('shapes') r), 'overwrite'))),
	'0|0|8|0', 'equal records are skipped');
is($state->(), $before, 'and not written');

# Neither WAL nor dead tuples, also where keys come in no order and twice.
$node->safe_psql('postgres', q(CREATE TABLE plain (id int PRIMARY KEY, n numeric(10, 2), f float8, t text);
	INSERT INTO plain SELECT i, i / 3.0, i / 7.0, 't' || i FROM generate_series(1, 20000) i; VACUUM ANALYZE plain;
	CREATE TABLE records AS SELECT jsonb_agg(r ORDER BY r->>'t') AS unordered, jsonb_agg(r) AS ordered FROM sync_export('plain', 20000) r; CHECKPOINT));
foreach my $case ([ 'ordered', 'skip', 20000 ], [ 'ordered', 'overwrite', 20000 ], [ 'unordered', 'overwrite', 20000 ], [ 'ordered || ordered', 'overwrite', 40000 ])
{
	my ($records, $strategy, $skipped) = @$case;
	my $result = $node->safe_psql('postgres', <<"SQL");
SELECT pg_current_wal_insert_lsn() AS lsn \\gset
SELECT created, updated, skipped FROM records, sync_import('plain', $records, '$strategy');
SELECT pg_current_wal_insert_lsn() - :'lsn';
SQL
	my ($counts, $wal) = split /\n/, $result;
	is($counts, "0|0|$skipped", "$records, $strategy: all are equal");
	cmp_ok($wal, '<', 20000, "$records, $strategy: next to no WAL");
}
is($node->safe_psql('postgres', q(SELECT pg_stat_force_next_flush(); SELECT pg_stat_clear_snapshot(); SELECT n_dead_tup, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'plain')), "\n\n0|0", 'no dead tuples');

# What another backend changes between two pages is known to the second one.
my $elsewhere = sub { return '\\! psql -X -q -d "' . $node->connstr('postgres') . qq(" -c "$_[0]") };
my (undef, $pages, $refusal) = $node->psql('postgres', join("\n", 'SELECT sync_export($$plain$$, 1);',
	$elsewhere->('ALTER TABLE plain DROP COLUMN f, ADD COLUMN added int DEFAULT 7'), 'SELECT sync_export($$plain$$, 1);',
	$elsewhere->('ALTER EXTENSION sync ADD TABLE plain'), 'SELECT sync_export($$plain$$, 1);',
	$elsewhere->('ALTER EXTENSION sync DROP TABLE plain'), q(SELECT sync_export('plain', 1)->'id';)), on_error_stop => 0);
is($pages, qq({"f": 0.14285714285714285, "n": 0.33, "t": "t1", "id": 1}\n{"n": 0.33, "t": "t1", "id": 1, "added": 7}\n1), 'pages follow the definition');
like($refusal, qr/permission denied for table plain\n.*belongs to the extension/, 'and the extension');

no_leftovers($node, 'node');
done_testing();
