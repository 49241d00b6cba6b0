# sync_diff(): which rows differ, by key or as multisets, and from whom it can be known; sync_compare_schema(): what
# differs before data moves.
use strict;
use warnings;
use lib 'perl';
use FakePeer;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

# The two sides agree in no setting that shapes text.
my $a = new_sync_node('sender', init => { allows_streaming => 1 }, conf => "max_connections = 30\nsync.max_connections = 10\nsync.max_sessions = 1000\n");
my $b = new_sync_node('receiver', conf => <<'CONF');
datestyle = 'sql, dmy'
timezone = 'Asia/Kathmandu'
intervalstyle = 'iso_8601'
extra_float_digits = -10
bytea_output = 'escape'
quote_all_identifiers = on
CONF
my $url = sync_url($a);

# Makes table t on both sides by $both, then runs $there on the peer and $here on this side.
sub prepare
{
	my ($both, $there, $here) = @_;
	foreach my $node ($a, $b)
	{
		$node->safe_psql('postgres', "SET client_min_messages = error; DROP TABLE IF EXISTS t, child CASCADE; $both");
	}
	$a->safe_psql('postgres', $there) if $there;
	$b->safe_psql('postgres', $here) if $here;
}
sub differences
{
	my ($both, $there, $here, %options) = @_;
	prepare($both, $there, $here);
	my $what = $options{what} || 'kind, key, local, remote';
	my $arguments = $options{arguments} || '';
	return run_script($b, $a, ($options{before} || '') . "SELECT $what FROM sync_diff(:c, 't'$arguments);");
}
sub same { my ($got, $expected, $name) = @_; chomp $expected; return is($got, $expected, $name); }

# ---- by key --------------------------------------------------------------------------------------

my $keyed = q(CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(8,2)); INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 1000) i;);
is(differences($keyed), '', 'equal tables do not differ');
same(differences($keyed,
		q(UPDATE t SET v = NULL WHERE id = 500; DELETE FROM t WHERE id IN (1, 1000); INSERT INTO t VALUES (0, 'new', 0), (2000, 'last', 0.5); UPDATE t SET id = 3000 WHERE id = 7),
		q(UPDATE t SET n = 0.01 WHERE id = 20; INSERT INTO t VALUES (-5, '', NULL))),
	<<'OUT', 'all kinds of differences, in the order of the key');
delete|{"id": -5}|{"n": null, "v": "", "id": -5}|
insert|{"id": 0}||{"n": 0.00, "v": "new", "id": 0}
delete|{"id": 1}|{"n": 1.00, "v": "v1", "id": 1}|
delete|{"id": 7}|{"n": 7.00, "v": "v7", "id": 7}|
update|{"id": 20}|{"n": 0.01, "v": "v20", "id": 20}|{"n": 20.00, "v": "v20", "id": 20}
update|{"id": 500}|{"n": 500.00, "v": "v500", "id": 500}|{"n": 500.00, "v": null, "id": 500}
delete|{"id": 1000}|{"n": 1000.00, "v": "v1000", "id": 1000}|
insert|{"id": 2000}||{"n": 0.50, "v": "last", "id": 2000}
insert|{"id": 3000}||{"n": 7.00, "v": "v7", "id": 3000}
OUT
same(run_script($b, $a, <<'SQL'), <<'OUT', 'row_limit: the first of them; the connection goes on in its snapshot');
SELECT kind, key FROM sync_diff(:c, 't', row_limit => 3);
SELECT count(*) FROM sync_diff(:c, 't', row_limit => 0);
SELECT count(*) FROM sync_diff(:c, 't', row_limit => 8) x, sync_diff(:c, 't', row_limit => 1) y;
SELECT count(*) FROM sync_diff(:c, 't', row_limit => 100);
SELECT sync_remote_get_count(:c, 't');
SQL
delete|{"id": -5}
insert|{"id": 0}
delete|{"id": 1}
0
8
9
1000
OUT
is(differences($keyed, undef, 'TRUNCATE t', what => 'count(*)'), '1000', 'an empty table here');
is(differences($keyed, 'TRUNCATE t', undef, what => q(count(*), count(*) FILTER (WHERE kind = 'delete'))), '1000|1000', 'an empty table there');
is(differences($keyed, 'TRUNCATE t', 'TRUNCATE t'), '', 'both empty');
$b->safe_psql('postgres', 'CREATE SCHEMA s; CREATE TABLE s."Other" (n numeric(8,2), id bigint PRIMARY KEY, v varchar)');
is(differences($keyed, undef, undef, arguments => q(, 's."Other"'), what => 'min(kind), count(*), max(remote::text)'), 'insert|1000|{"n": 999.00, "v": "v999", "id": 999}',
	'a table of another name, with its columns in another order and other types');

same(differences('CREATE TABLE t (a int, b text, c int, PRIMARY KEY (c, b)); INSERT INTO t SELECT 1, b, c FROM unnest(ARRAY[$$x$$, $$y$$, $$$$]) b, generate_series(1, 2) c',
		q(DELETE FROM t WHERE b = 'y' AND c = 1; UPDATE t SET a = 2 WHERE b = '' AND c = 2),
		q(DELETE FROM t WHERE b = 'x' AND c = 2)),
	<<'OUT', 'a key of several columns, in its own order');
delete|{"b": "y", "c": 1}|{"a": 1, "b": "y", "c": 1}|
update|{"b": "", "c": 2}|{"a": 1, "b": "", "c": 2}|{"a": 2, "b": "", "c": 2}
insert|{"b": "x", "c": 2}||{"a": 1, "b": "x", "c": 2}
OUT
same(differences('CREATE TABLE t (a int NOT NULL UNIQUE, b text); INSERT INTO t VALUES (1, $$x$$), (2, $$y$$)', 'UPDATE t SET b = upper(b) WHERE a = 2'),
	<<'OUT', 'a unique index over columns that are not null is a key');
update|{"a": 2}|{"a": 2, "b": "y"}|{"a": 2, "b": "Y"}
OUT
is(differences('CREATE TABLE t (a int, b text PRIMARY KEY)', q(INSERT INTO t SELECT 1, chr(64 + i % 58) || i FROM generate_series(1, 3000) i),
		q(INSERT INTO t SELECT 1, chr(64 + i % 58) || i FROM generate_series(1, 3000) i; DELETE FROM t WHERE b LIKE 'b%4'), what => 'count(*), min(kind), max(kind)'),
	$a->safe_psql('postgres', q(SELECT count(*) || '|insert|insert' FROM t WHERE b LIKE 'b%4')), 'text keys');
is(differences('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)', 'INSERT INTO t VALUES (3)', 'DELETE FROM t WHERE id = 2', what => 'kind, key'),
	qq(insert|{"id": 2}\ninsert|{"id": 3}), 'nothing but a key');
is(differences('CREATE TABLE t (id int, v text)', 'INSERT INTO t VALUES (1, $$a$$), (NULL, $$b$$), (NULL, $$c$$), (2, $$d$$), (1, $$last$$)',
		'ALTER TABLE t ADD PRIMARY KEY (id); INSERT INTO t VALUES (1, $$here$$)', what => 'kind, key, remote'),
	qq(update|{"id": 1}|{"v": "last", "id": 1}\ninsert|{"id": 2}|{"v": "d", "id": 2}\ninsert|{"id": null}|{"v": "b", "id": null}\ninsert|{"id": null}|{"v": "c", "id": null}),
	'of rows with the same key the last counts; a null matches nothing');

# Keys that are equal and yet have other texts.
foreach my $case (
	[ 'numeric', 'numeric', '1.00', '1.0' ],
	[ 'float8', 'float8', "'-0'", "'0'" ],
	[ 'interval', 'interval', "'1 day'", "'24 hours'" ],
	[ 'citext', 'public.citext', "'Abc'", "'aBC'" ],
	[ 'a nondeterministic collation', 'text COLLATE public.ci', "'Abc'", "'aBC'" ])
{
	my ($name, $type, $here, $there) = @$case;
	my $need = 'CREATE EXTENSION IF NOT EXISTS citext; DROP COLLATION IF EXISTS ci CASCADE; CREATE COLLATION ci (provider = icu, locale = $$und-u-ks-level2$$, deterministic = false);';
	is(differences("$need CREATE TABLE t (k $type PRIMARY KEY, v int)", "INSERT INTO t VALUES ($there, 1)", "INSERT INTO t VALUES ($here, 1)", what => 'kind, local::text <> remote::text'),
		'update|t', "$name: one row, whose key is written in two ways");
	is(differences("$need CREATE TABLE t (k $type PRIMARY KEY, v int)", "INSERT INTO t VALUES ($there, 1)", "INSERT INTO t VALUES ($there, 1)"), '', "$name: equal");
}
is(differences('CREATE TABLE t (k char(5) PRIMARY KEY, v int); INSERT INTO t VALUES ($$ab$$, 1)', 'UPDATE t SET k = $$ab   $$'), '', 'char(n): blanks that do not count');

# The bytes that sync_diff() of t takes for each of these limits.
sub bytes_of
{
	my (@limits) = @_;
	my @sums = split /\n/, run_script($b, $a, join '', "SELECT bytes_in AS before FROM sync_clients() \\gset\n",
		map { "SELECT count(*) FROM sync_diff(:c, 't', row_limit => $_) \\g /dev/null\nSELECT bytes_in - :before FROM sync_clients();\n" } @limits);
	return map { $sums[$_] - ($_ > 0 ? $sums[ $_ - 1 ] : 0) } 0 .. $#sums;
}

# With row_limit no more rows come than needed. Of a large table only digests do, and the rows that differ; where too many
# differ for that, the rows come in pages at first.
foreach my $how ('by digests', 'in pages')
{
	my ($rows, $changed) = $how eq 'by digests' ? (200_000, 'id % 50000 = 10') : (20_000, 'true');
	prepare("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i * 10, md5(i::text) FROM generate_series(1, $rows) i;",
		"UPDATE t SET v = '' WHERE $changed; INSERT INTO t VALUES (5, 'new'), (9999999, 'last')", q(DELETE FROM t WHERE id % 400000 = 20; INSERT INTO t VALUES (10001, 'mine'), (150005, 'mine too')));
	my $all = run_script($b, $a, q(SELECT kind, key, local, remote FROM sync_diff(:c, 't');));
	my $count = split /\n/, $all;
	cmp_ok($count, '>', 20, "$how: many rows");
	my $first = sub { my ($limit) = @_; return join("\n", grep { defined } (split /\n/, $all)[ 0 .. $limit - 1 ]); };
	foreach my $limit (1, 2, 3, 10, $count - 1, $count, $count + 1)
	{
		is(run_script($b, $a, "SELECT kind, key, local, remote FROM sync_diff(:c, 't', row_limit => $limit);"), $first->($limit), "$how: the first $limit of them");
	}
	my ($few, $whole) = bytes_of(1, 1_000_000);
	cmp_ok($few * ($how eq 'in pages' ? 10 : 1), '<=', $whole, "$how: a large rest is not read");
	cmp_ok($whole, $how eq 'in pages' ? '>' : '<', 100_000, "$how: all of it");
	$a->safe_psql('postgres', 'ALTER SYSTEM SET sync.max_page_rows = 3000');
	$a->reload;
	is(run_script($b, $a, "SELECT kind, key, local, remote FROM sync_diff(:c, 't', row_limit => 15);"), $first->(15), "$how: from a peer that allows smaller pages only");
	$a->safe_psql('postgres', 'ALTER SYSTEM RESET sync.max_page_rows');
	$a->reload;
}
foreach my $case ([ 'int2', 'i - 2000' ], [ 'int8', 'i * 10000000000 - 7' ], [ 'numeric', q(CASE WHEN i = 4000 THEN 'NaN' ELSE i / 8.0 - 200 END) ], [ 'uuid', 'md5(i::text)::uuid' ], [ 'date', q(CASE WHEN i = 1 THEN '-infinity' WHEN i = 4000 THEN 'infinity' ELSE '0010-01-01 BC'::date + i * 9 END) ],
	[ 'timestamptz', q(CASE WHEN i = 4000 THEN 'infinity' ELSE '2024-03-31 00:00:00.123457+00'::timestamptz + i * interval '1.000001 minutes' END) ], [ 'timestamp', q('0005-01-01 BC'::timestamp + i * interval '1 day') ],
	[ 'text', 'i::text' ], [ 'int, PRIMARY KEY (b, a), b', 'i % 10', 'date', q('2024-01-01'::date + i) ])
{
	my ($type, $value, $other, $other_value) = @$case;
	my ($shape, $values) = $other ? ("a $type $other", "$value, $other_value") : ("a $type PRIMARY KEY", $value);
	prepare("CREATE TABLE t ($shape, v int); INSERT INTO t SELECT $values, i FROM generate_series(1, 4000) i", 'UPDATE t SET v = -v WHERE v % 100 = 0 OR v = 4000', 'DELETE FROM t WHERE v % 700 = 3');
	my @diffs = split /\n/, run_script($b, $a, q(SELECT kind, key FROM sync_diff(:c, 't');));
	is(scalar @diffs, 46, "$type: all differences");
	is(run_script($b, $a, q(SELECT kind, key FROM sync_diff(:c, 't', row_limit => 46);)), join("\n", @diffs), "$type: in pages");
	is(run_script($b, $a, q(SELECT kind, key FROM sync_diff(:c, 't', row_limit => 30);)), join("\n", @diffs[ 0 .. 29 ]), "$type: the first");
}

# ---- as multisets --------------------------------------------------------------------------------

my $keyless = q(CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, NULL), (1, ''), (NULL, NULL), (12, '3'), (1, '23'););
is(differences($keyless), '', 'no key: equal');
same(differences($keyless, q(INSERT INTO t VALUES (1, 'x'), (7, 'only there'); DELETE FROM t WHERE b = '3'), q(INSERT INTO t VALUES (NULL, NULL), (NULL, NULL), (1, '')),
		what => 'kind, key, local, remote', arguments => ') ORDER BY kind, local, (remote'),
	<<'OUT', 'no key: three equal rows are not two');
delete||{"a": null, "b": null}|
delete||{"a": null, "b": null}|
delete||{"a": 1, "b": ""}|
delete||{"a": 12, "b": "3"}|
insert|||{"a": 1, "b": "x"}
insert|||{"a": 7, "b": "only there"}
OUT
is(run_script($b, $a, "SELECT md5(string_agg(d::text, '' )) FROM sync_diff(:c, 't') d;"), run_script($b, $a, "SELECT md5(string_agg(d::text, '' )) FROM sync_diff(:c, 't') d;"), 'no key: in the same order each time');
is(run_script($b, $a, "SELECT count(*) FROM sync_diff(:c, 't', row_limit => 4);"), '4', 'no key: row_limit');
is(differences('CREATE TABLE t (a int UNIQUE, b text); INSERT INTO t VALUES (NULL, 1), (NULL, 1), (1, 1)', 'DELETE FROM t WHERE a = 1', undef, what => 'kind, key'),
	'delete|', 'a unique index over columns that may be null is no key');
is(differences('CREATE TABLE t (); INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES', 'INSERT INTO t DEFAULT VALUES'), 'insert|||{}', 'no columns at all');

# ---- all types -----------------------------------------------------------------------------------

my $types = <<'SQL';
DROP TYPE IF EXISTS mood, pair CASCADE; DROP DOMAIN IF EXISTS small;
CREATE TYPE mood AS ENUM ('sad', 'fine'); CREATE TYPE pair AS (a text, b timestamptz); CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE TABLE t (id int PRIMARY KEY, i2 int2, i8 int8, n numeric, f4 float4, f8 float8, m money, b bool, c "char", t text, vc varchar(20), bp char(8), na name,
  by bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval, u uuid, ip inet, ci cidr, ma macaddr, bi bit(3), vb varbit, p point, bx box, pa path, r int4range, tr tstzrange,
  mr int4multirange, x xml, j json, jb jsonb, tv tsvector, tq tsquery, rc regclass, o oid, l pg_lsn, e mood, co pair, sm small, ai int[], at text[], ats timestamptz[], ae mood[], ac pair[], jp jsonpath);
INSERT INTO t VALUES (1, -5, 9007199254740993, 1.50, 0.1, 1e-300, '12.34', true, 'x', E'tab\t', 'vc', 'bp', 'na',
  '\x00ff', '2024-02-29', '12:34:56.789', '12:34:56+05:45', '2024-02-29 01:02:03.000004', '2024-02-29 01:02:03.000004+00', '1 year -2 days 03:04:05.6', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', B'101', B'1', '(1.5,2)', '((0,0),(1,1))', '((0,0),(1,1))', '[1,5)', '["2024-01-01 00:00:00+00",)', '{[1,3),[5,7)}', '<a/>', '{"a":  1, "a": 2}', '{"z": 1.0}', 'fat:2 cat',
  'a & b', 'pg_class', 42, '16/B374D848', 'fine', ROW('p', '2024-01-01 00:00:00+00'), 7, '[0:1]={1,2}', '{a,NULL,"x y"}', '{"2024-01-01 00:00:00+00"}', '{sad}', ARRAY[ROW('q', '2024-01-01 00:00:00+00')::pair], '$.a');
INSERT INTO t (id, d, tstz, f8, n) VALUES (2, 'infinity', '-infinity', 'NaN', 'NaN');
SQL
is(differences("SET timezone = 'UTC'; SET datestyle = iso; $types"), '', 'equal under settings that differ');
my $rows = $b->safe_psql('postgres', "SELECT string_agg(e::text, ';' ORDER BY e->>'id') FROM sync_export('t') e");
is($a->safe_psql('postgres', "SELECT string_agg(e::text, ';' ORDER BY e->>'id') FROM sync_export('t') e"), $rows, 'as the export shows');
my %changes = (
	n => '1.5', f8 => '1.0000000000000002e-300', f4 => '0.10000001', by => q('\x00fe'), iv => q('1 year -2 days 03:04:05.6'::interval + '1 us'), tstz => q('2024-02-29 01:02:03.000005+00'), j => q('{"a": 1, "a": 2}'),
	jb => q('{"z": 1.00}'), ai => q('{1,2}'), co => q(ROW('p', '2024-01-01 00:00:01+00')), r => q('(1,5)'), tz => q('11:34:56+04:45'), e => 'NULL', m => q('12.35'), t => q(E'tab\t '), ats => q('{"2024-01-01 00:00:00+00",NULL}'));
foreach my $column (sort keys %changes)
{
	$a->safe_psql('postgres', "UPDATE t SET $column = $changes{$column} WHERE id = 1");
	is( run_script($b, $a, "SELECT kind, (SELECT string_agg(key, ',') FROM jsonb_each(local) l WHERE l.value::text IS DISTINCT FROM (remote->l.key)::text) FROM sync_diff(:c, 't');"),
		"update|$column", "a change in $column alone");
	$a->safe_psql('postgres', "DELETE FROM t WHERE id = 1");
	$a->safe_psql('postgres', "SET timezone = 'UTC'; " . ($types =~ s/.*?(?=INSERT INTO t VALUES)//sr =~ s/INSERT INTO t \(id.*//sr));
}
is(run_script($b, $a, "SELECT count(*) FROM sync_diff(:c, 't');"), '0', 'equal again');
prepare("SET timezone = 'UTC'; " . ($types =~ s/id int PRIMARY KEY/id int/r));
is(run_script($b, $a, "SELECT count(*) FROM sync_diff(:c, 't');"), '0', 'all types without a key');
my $many = join ', ', map { "c$_ int" } 1 .. 1600;
is(differences("CREATE TABLE t ($many); ALTER TABLE t ADD PRIMARY KEY (c800); INSERT INTO t (c800) VALUES (800)", 'UPDATE t SET c1600 = 0', undef, what => 'kind, key'), 'update|{"c800": 800}', '1600 columns');
is(differences("CREATE TABLE t ($many); INSERT INTO t DEFAULT VALUES", 'INSERT INTO t DEFAULT VALUES', undef, what => 'kind, key'), 'insert|', '1600 columns and no key');
is(differences('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat(md5(i::text), 100000) FROM generate_series(1, 3) i', 'UPDATE t SET v = v || 1 WHERE id = 2', 'ALTER TABLE t ALTER v SET STORAGE EXTERNAL; UPDATE t SET v = v || $$$$',
		what => 'kind, key, length(local->>$$v$$), length(remote->>$$v$$)'), 'update|{"id": 2}|3200000|3200001', 'large values, stored in other ways');

# Other encodings: what counts is the text.
$b->safe_psql('postgres', q(CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'));
$b->safe_psql('latin', 'CREATE EXTENSION sync');
prepare('SELECT 1');
$a->safe_psql('postgres', "SET client_encoding = 'UTF8'; CREATE TABLE t (k text PRIMARY KEY, \"gr\xc3\xb6\xc3\x9fe\" text); INSERT INTO t SELECT chr(i), 'x\xc3\xa9' || i FROM generate_series(161, 255) i");
$b->safe_psql('latin', "SET client_encoding = 'UTF8'; CREATE TABLE t (k text PRIMARY KEY, \"gr\xc3\xb6\xc3\x9fe\" text); INSERT INTO t SELECT chr(i), 'x\xc3\xa9' || i FROM generate_series(161, 255) i; UPDATE t SET \"gr\xc3\xb6\xc3\x9fe\" = '\xc3\xbc' WHERE k = chr(200); DELETE FROM t WHERE k = chr(222); CREATE TABLE plain AS TABLE t");
is(run_script($b, $a, q(SET client_encoding = 'UTF8'; SELECT * FROM sync_diff(:c, 't');), to_db => 'latin'),
	qq(update|{"k": "\xc3\x88"}|{"k": "\xc3\x88", "gr\xc3\xb6\xc3\x9fe": "\xc3\xbc"}|{"k": "\xc3\x88", "gr\xc3\xb6\xc3\x9fe": "x\xc3\xa9200"}\ninsert|{"k": "\xc3\x9e"}||{"k": "\xc3\x9e", "gr\xc3\xb6\xc3\x9fe": "x\xc3\xa9222"}),
	'encodings that differ');
is(run_script($b, $a, q(SELECT kind, count(*) FROM sync_diff(:c, 't', 'plain') GROUP BY kind ORDER BY kind;), to_db => 'latin'), "delete|1\ninsert|2", 'and without a key');
$a->safe_psql('postgres', q(INSERT INTO t VALUES (U&'\20AC', 'euro')));
fails_with($b, pull_script($a, q(SELECT * FROM sync_diff(:c, 't');)), '22P05', qr/has no equivalent in encoding "LATIN1".*DETAIL:  The table here cannot take row 96/s, 'a character that this side does not have', db => 'latin');

# ---- columns -------------------------------------------------------------------------------------

is(differences('CREATE TABLE t (a int PRIMARY KEY, g int GENERATED ALWAYS AS (a * 2) STORED)', 'INSERT INTO t VALUES (1), (2)', 'ALTER TABLE t DROP g, ADD g int GENERATED ALWAYS AS (a * 3) STORED; INSERT INTO t VALUES (1)'),
	'insert|{"a": 2}||{"a": 2}', 'a generated column is not compared');
is(differences('CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY)', 'INSERT INTO t VALUES (1), (2)', 'INSERT INTO t VALUES (1)'),
	'insert|||{"a": 2}', 'a generated key is none');
is(differences('CREATE TABLE t (id int PRIMARY KEY, v text)', q(INSERT INTO t VALUES (1, '1'), (2, '2')), q(ALTER TABLE t ALTER v TYPE int USING 1; INSERT INTO t VALUES (1, 1), (2, 3)), what => 'key, local, remote'),
	'{"id": 2}|{"v": 3, "id": 2}|{"v": 2, "id": 2}', 'other types: the values as they would be stored here');
sub refused
{
	my ($sqlstate, $text, $name, $arguments, %options) = @_;
	return fails_with($b, pull_script($a, ($options{before} || '') . 'SELECT * FROM sync_diff(:c, ' . ($arguments || q('t')) . ');', role => $options{role}), $sqlstate, $text, $name);
}
$a->safe_psql('postgres', q(UPDATE t SET v = 'two' WHERE id = 2));
refused('22P02', qr/invalid input syntax.*"two".*DETAIL:  The table here cannot take row \d+ of the peer's\./s, 'a value that cannot be stored here');
prepare('CREATE TABLE t (id int PRIMARY KEY)', 'ALTER TABLE t ADD "A b" text, ADD there int', 'ALTER TABLE t ADD here int');
refused('42804', qr/different columns.*DETAIL:  Missing here: "A b", there\. Missing there: here\..*HINT:  See sync_compare_schema\(\)\./s, 'columns that are missing');
prepare('CREATE TABLE t (id int PRIMARY KEY)', 'ALTER TABLE t ADD x int[]', 'ALTER TABLE t ADD x jsonb');
refused('42804', qr/other types here.*x is integer\[\] there and jsonb here/s, 'types that have nothing in common');

# ---- tables of other kinds -----------------------------------------------------------------------

is(differences('SELECT 1', 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 100) i; UPDATE t SET v = 0 WHERE id = 50',
		'CREATE TABLE t (id int PRIMARY KEY, v int) PARTITION BY HASH (id); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t2 (v int, id int NOT NULL);
		 ALTER TABLE t ATTACH PARTITION t2 FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO t SELECT i, i FROM generate_series(1, 101) i'),
	qq(update|{"id": 50}|{"v": 50, "id": 50}|{"v": 0, "id": 50}\ndelete|{"id": 101}|{"v": 101, "id": 101}|), 'partitioned here, plain there');
prepare('CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)', undef, 'CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (2)');
my ($ret, $out, $err) = $b->psql('postgres', pull_script($a, q(SELECT * FROM sync_diff(:c, 't');)));
is($out, '', 'rows of tables that inherit do not count');
like($err, qr/NOTICE:  rows of tables that inherit from "t" are not included/, 'which is told');
foreach my $node ($a, $b)
{
	$node->safe_psql('postgres', 'CREATE VIEW v AS SELECT * FROM t; CREATE TABLE "pg_it" (id int); CREATE TABLE secret (id int PRIMARY KEY, x int); INSERT INTO secret VALUES (1, 1);
		CREATE ROLE reader LOGIN; GRANT SELECT ON t TO reader; GRANT EXECUTE ON FUNCTION sync_create_session TO reader; GRANT EXECUTE ON FUNCTION sync_connect, sync_compare_schema TO reader; CREATE TABLE ruled (id int PRIMARY KEY); GRANT SELECT ON ruled TO reader; ALTER TABLE ruled ENABLE ROW LEVEL SECURITY');
	$node->append_conf('postgresql.conf', "sync.allowed_peers = '*'");
	$node->reload;
}
refused('42809', qr/cannot be shared/, 'a view', q('v'));
$b->safe_psql('postgres', 'CREATE TABLE v2 (id int)');
$a->safe_psql('postgres', 'CREATE VIEW v2 AS SELECT 1 AS id');
refused('42809', qr/cannot be shared.*remote:/s, 'a view there', q('v2'));
refused('42501', undef, 'a table of an excluded name', q('pg_it'));
refused('42P01', qr/"nowhere" does not exist/, 'a table that is not here', q('t', 'nowhere'));
refused('42P01', qr/"v3" does not exist.*remote:/s, 'a table that is not there', q('v3', 't'));
refused('22023', qr/must not be negative/, 'a negative row_limit', q('t', row_limit => -1));
refused('22004', qr/"table_name"/, 'no table', q(NULL));

# ---- rights --------------------------------------------------------------------------------------

refused('42501', qr/permission denied for function sync_diff/, 'class C', undef, before => 'SET ROLE reader; ');
$b->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION sync_diff TO reader');
sub as_reader
{
	my ($arguments) = @_;
	my $code = new_code($a);
	return "SET ROLE reader; SELECT sync_connect('$url', '$code') AS c \\gset\nSELECT * FROM sync_diff(:c, $arguments);";
}
is($b->safe_psql('postgres', as_reader(q('t'))), '', 'who may SELECT may compare');
fails_with($b, as_reader(q('secret')), '42501', qr/permission denied for table secret/, 'who may not SELECT here may not compare');
$b->safe_psql('postgres', 'GRANT SELECT (id) ON secret TO reader');
fails_with($b, as_reader(q('secret')), '42501', qr/missing for these columns: x/, 'nor who may see some columns');
fails_with($b, as_reader(q('ruled')), '0A000', qr/cannot tell.*DETAIL:  Row level security may hide rows of it from the current role\./s, 'nor who may not see all rows');
refused('0A000', qr/DETAIL:  The peer does not show all rows/, 'nor from a peer that does not show all rows', q('ruled'), role => 'reader');
refused('42501', qr/permission denied.*remote:/s, 'nor from one who may not read', q('secret'), role => 'reader');

# ---- it writes nothing ---------------------------------------------------------------------------

prepare($keyed, 'UPDATE t SET v = NULL WHERE id < 4');
is(run_script($b, $a, q(BEGIN READ ONLY; SELECT count(*) FROM sync_diff(:c, 't'); COMMIT;)), '3', 'in a read-only transaction');
is( run_script($b, $a, q(BEGIN; UPDATE t SET v = NULL WHERE id = 1; SELECT kind, key FROM sync_diff(:c, 't'); ROLLBACK; SELECT count(*) FROM sync_diff(:c, 't');)),
	qq(update|{"id": 2}\nupdate|{"id": 3}\n3), 'what the transaction has written itself is seen');
is( run_script($b, $a, q(BEGIN; SELECT sum(n) FROM (SELECT count(*) AS n FROM sync_diff(:c, 't')) x; SELECT mode FROM pg_locks WHERE relation = 't'::regclass; COMMIT;)),
	"3\nAccessShareLock", 'with no lock but that of a query');
$a->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($a, 'backup', has_streaming => 1);
$standby->{sync_port} = free_port();
$standby->append_conf('postgresql.conf', "sync.port = $standby->{sync_port}");
$standby->start;
$a->safe_psql('postgres', 'UPDATE t SET v = $$later$$ WHERE id = 10; DELETE FROM t WHERE id = 11');
$a->wait_for_catchup($standby, 'replay', $a->lsn('insert'));
is(run_script($standby, $b, q(SELECT kind, key FROM sync_diff(:c, 't');)), <<'OUT' =~ s/\n\z//r, 'on a standby');
update|{"id": 1}
update|{"id": 2}
update|{"id": 3}
update|{"id": 10}
insert|{"id": 11}
OUT
$standby->stop;

# ---- what it says is what overwrite does ---------------------------------------------------------

$b->safe_psql('postgres', q(INSERT INTO t SELECT i FROM generate_series(5000, 5009) i));
same(run_script($b, $a, <<'SQL'), <<'OUT', 'an overwrite does what the comparison said');
SELECT count(*) FILTER (WHERE kind = 'insert'), count(*) FILTER (WHERE kind = 'update'), count(*) FILTER (WHERE kind = 'delete') FROM sync_diff(:c, 't');
SELECT created, updated FROM sync_transfer(:c, 't', strategy => 'overwrite');
SELECT kind, count(*) FROM sync_diff(:c, 't') GROUP BY kind;
SQL
0|4|11
0|4
delete|11
OUT

# ---- an index that lies --------------------------------------------------------------------------

prepare(<<'SQL');
CREATE OR REPLACE FUNCTION odd_less(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < $2';
CREATE OR REPLACE FUNCTION odd_equal(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2';
CREATE OR REPLACE FUNCTION odd_cmp(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN $1 < $2 THEN -1 WHEN $1 = $2 THEN 0 ELSE 1 END';
DO $$ BEGIN IF to_regoperator('<<<(int, int)') IS NULL THEN
CREATE OPERATOR <<< (LEFTARG = int, RIGHTARG = int, FUNCTION = odd_less);
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = odd_equal);
CREATE OPERATOR CLASS odd_ops FOR TYPE int USING btree AS OPERATOR 1 <<<, OPERATOR 3 ===, FUNCTION 1 odd_cmp(int, int);
END IF; END $$;
CREATE TABLE t (id int NOT NULL, v text); CREATE UNIQUE INDEX t_odd ON t (id odd_ops); INSERT INTO t SELECT i, i FROM generate_series(1, 50) i;
SQL
$a->safe_psql('postgres', 'UPDATE t SET v = 0 WHERE id = 7');
my $by_index = 'SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; ';
is(run_script($b, $a, "$by_index SELECT kind, key FROM sync_diff(:c, 't');"), 'update|{"id": 7}', 'a key of an operator class that can be neither hashed nor merged');
$b->safe_psql('postgres', q(CREATE OR REPLACE FUNCTION odd_cmp(int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT CASE WHEN $1 < $2 THEN 1 WHEN $1 = $2 THEN 0 ELSE -1 END'));
refused('XX002', qr/index "t_odd" does not give its rows in order/, 'an index that is out of order is no proof that rows are missing', undef, before => $by_index);

# ---- a peer that goes wrong ----------------------------------------------------------------------

prepare('CREATE TABLE t (a int PRIMARY KEY)');
my $column = '{"name": "a", "type": "integer", "base_type": "pg_catalog.int4", "category": "N", "binary": true, "nullable": true}';
sub opened { my (%with) = @_; my $columns = $with{columns} // $column; my $complete = $with{complete} // 'true';
	return http_body(200, qq({"tables": [{"definition": {"schema": "public", "table": "t", "columns": [$columns], "primary_key": [], "kind": "r"}, "complete": $complete, "size_bytes": 0}]})); }
my $header = frame('H', '{"encoding": "UTF8", "columns": [{"name": "a", "binary": true, "width": 4}]}');
my $row = frame('D', pack('N', 1) . "\0" . pack('N', 42));
my %streams = (
	'an empty answer' => [ '', '08006' ],
	'a header alone' => [ $header, '08006' ],
	'rows without an end' => [ $header . $row, '08006' ],
	'a frame cut short' => [ $header . substr($row, 0, 10), '08006' ],
	'an end that counts wrongly' => [ $header . $row . frame('E', pack('Q>', 2) . ("\0" x 16)), '08P01' ],
	'more rows than bytes' => [ $header . frame('D', pack('N', 4_000_000_000) . "\0"), '08P01' ],
	'a frame longer than its rows' => [ $header . frame('D', pack('N', 1) . "\0" . pack('N', 1) . 'junk'), '08P01' ],
	'other columns' => [ frame('H', '{"encoding": "UTF8", "columns": [{"name": "b", "binary": true, "width": 4}]}'), '08P01' ],
	'too many columns' => [ frame('H', '{"encoding": "UTF8", "columns": [{"name": "a", "binary": true, "width": 4}, {"name": "a", "binary": true, "width": 4}]}'), '08P01' ],
	'a wrong width' => [ frame('H', '{"encoding": "UTF8", "columns": [{"name": "a", "binary": true, "width": 3}]}'), '08P01' ],
	'an error of its own' => [ $header . $row . frame('X', '{"error": {"sqlstate": "53100", "message": "disk full there"}}'), '53100' ],
);
sub hostile
{
	my ($what, $sqlstate, $text, %play) = @_;
	my $port = playing_peer(open => opened(), %play);
	return fails_with($b, "SELECT * FROM sync_diff(sync_connect('http://localhost:$port', 'ABCDEFGH'), 't')", $sqlstate, $text, $what);
}
foreach my $what (sort keys %streams)
{
	my ($bytes, $sqlstate) = @{ $streams{$what} };
	hostile($what, $sqlstate, undef, rows => sub { my ($c) = @_; print $c rows_answer($bytes, 1); });
	hostile("$what, then nothing", $sqlstate, undef, rows => sub { my ($c) = @_; print $c rows_answer($bytes, 0); close $c; });
}
hostile('a peer that says it hides rows', '0A000', qr/does not show all rows/, open => opened(complete => 'false'));
hostile('a peer that has other columns', '42804', qr/Missing here: b\. Missing there: a\./, open => opened(columns => $column =~ s/"a"/"b"/r));
hostile('a peer that has no columns', '42804', qr/Missing there: a\./, open => opened(columns => ''));
hostile('a peer that opens nothing', '08P01', undef, open => http_body(200, '{"tables": []}'));
{
	# The whole stream is good, but all of its keys are null, or the same.
	my $nulls = frame('D', pack('N', 100_000) . ("\1" x 100_000));
	my $port = playing_peer(open => opened(), rows => sub { my ($c) = @_; print $c rows_answer($header . $nulls x 5, 0); close $c; });
	fails_with($b, "SET work_mem = '64kB'; SELECT count(*) FROM sync_diff(sync_connect('http://localhost:$port', 'ABCDEFGH'), 't')", '08006', undef, 'many rows without a key, cut');
}
{
	# Pages that are none.
	my $good = $column =~ s/"nullable": true/"nullable": false/r;
	my $keyed_table = http_body(200, qq({"tables": [{"definition": {"schema": "public", "table": "t", "columns": [$good], "primary_key": ["a"], "kind": "r"}, "complete": true, "size_bytes": 0}]}));
	# The rows 1 to $count in a whole stream; its end has the XXH3-128 of the payload.
	my %digests = (1000 => '97e6abe8c7abbf34226db3901e3713d1', 1001 => '96173826cc1349fe3713641c0d9a91cf');
	my $page = sub {
		my ($count) = @_;
		my $rows = frame('D', pack('N', $count) . join '', map { "\0" . pack('N', $_) } 1 .. $count);
		return rows_answer($header . $rows . frame('E', pack('Q>', $count) . pack('H*', $digests{$count})), 1);
	};
	my %pages = (
		'the same page again' => [ $page->(1000), '08P01', qr/not behind the page before/ ],
		'more rows than were asked for' => [ $page->(1001), '08P01', qr/more rows than were asked for/ ],
		'a refusal of every page' => [ http_body(413, '{"error": {"sqlstate": "54000", "message": "too large"}}'), '54000', qr/too large/ ],
	);
	foreach my $what (sort keys %pages)
	{
		my ($answer, $sqlstate, $text) = @{ $pages{$what} };
		my $port = playing_peer(open => $keyed_table, rows => $answer);
		fails_with($b, "SELECT count(*) FROM sync_diff(sync_connect('http://localhost:$port', 'ABCDEFGH'), 't', row_limit => 100000)", $sqlstate, $text, $what);
	}
	my $port = playing_peer(open => $keyed_table, rows => $page->(1000));
	is($b->safe_psql('postgres', "SELECT count(*) FROM sync_diff(sync_connect('http://localhost:$port', 'ABCDEFGH'), 't', row_limit => 999)"), '999', 'a good page');
}
stop_fake_peers();

# ---- large tables --------------------------------------------------------------------------------

my $large = q(CREATE TABLE t (id int PRIMARY KEY, v text, w text); INSERT INTO t SELECT i, md5(i::text), repeat('w', 100) FROM generate_series(1, 300000) i; ANALYZE t;);
my $somewhat = q(DELETE FROM t WHERE id = 150000; UPDATE t SET v = '' WHERE id = 300000);
foreach my $case (
	[ 'with a key', $large, $somewhat, undef, "delete|150000|1\nupdate|300000|1" ],
	[ 'without a key', $large =~ s/ PRIMARY KEY//r, $somewhat, undef, "delete|150000|1\ndelete|300000|1\ninsert|300000|1" ],
	[ 'that are only there', $large, undef, 'DELETE FROM t WHERE id < 300000', 'insert|1|299999' ],
	[ 'that are only here', $large, 'DELETE FROM t WHERE id < 300000', undef, "delete|1|299998\ndelete|150000|1" ])
{
	my ($what, $sql, $there, $here, $expected) = @$case;
	prepare($sql, $there, $here);
	my $session = background($b, pull_script($a, <<'SQL'));
SET application_name = 'comparing';
SET work_mem = '1MB';
SELECT kind, min(coalesce(local, remote)->>'id'), count(*) FROM sync_diff(:c, 't') GROUP BY kind, CASE WHEN kind = 'delete' AND local->>'id' IN ('150000', '300000') THEN local->>'id' END ORDER BY 1, 2;
SET application_name = 'compared';
SQL
	my ($base, $peak) = (undef, 0);
	my $pid = '';
	my $query = q(SELECT pid FROM pg_stat_activity WHERE application_name = 'comparing');
	wait_for(sub { $pid = $b->safe_psql('postgres', $query); $pid ne '' }, 'the comparison begins');
	while ($session->{run}->pumpable && -d "/proc/$pid")
	{
		my $now = private_dirty($pid);
		$base //= $now;
		$peak = $now if $now > $peak;
		select(undef, undef, undef, 0.02);
		$session->{run}->pump_nb;
	}
	is(finished($session) =~ s/\n\z//r, $expected, "300000 rows $what") or diag($session->{err});
	cmp_ok($peak - $base, '<', 12 * 1024, "in little memory ($what)");
	note("$what: from $base kB to $peak kB");
	is($b->safe_psql('postgres', q(SELECT count(*) FROM pg_ls_tmpdir())), '0', "no file is left ($what)");
}

fails_with($b, pull_script($a, q(SET work_mem = '1MB'; SET temp_file_limit = '2MB'; SELECT count(*) FROM sync_diff(:c, 't');)), '53400', qr/temp_file_limit/, 'temporary files are limited as those of any query');
is($b->safe_psql('postgres', q(SELECT count(*) FROM pg_ls_tmpdir())), '0', 'and gone after an error');

# Cancel, in whatever phase.
foreach my $case ([ 'reading', 0.1 ], [ 'merging', 1.2 ])
{
	my ($phase, $seconds) = @$case;
	my $code = new_code($a);
	my $began = time;
	fails_with($b, "SELECT sync_connect('$url', '$code') AS c \\gset\nSET statement_timeout = '${seconds}s'; SELECT count(*) FROM sync_diff(:c, 't') w, sync_diff(:c, 't') x, sync_diff(:c, 't') y, sync_diff(:c, 't') z;", '57014', undef, "cancelled while $phase");
	cmp_ok(time - $began, '<', $seconds + 20, "soon ($phase)");
}
is(run_script($b, $a, <<'SQL'), "299999\n299999", 'within a subtransaction, too');
SELECT count(*) FROM sync_diff(:c, 't');
SET statement_timeout = '150ms';
DO $$ BEGIN PERFORM sync_diff(1, 't'); RAISE 'not cancelled'; EXCEPTION WHEN query_canceled THEN NULL; END $$;
RESET statement_timeout;
SELECT count(*) FROM sync_diff(:c, 't');
SQL

# ---- definitions ---------------------------------------------------------------------------------

foreach my $node ($a, $b)
{
	$node->safe_psql('postgres', 'CREATE DATABASE shapes');
	$node->safe_psql('shapes', <<'SQL');
CREATE EXTENSION sync; SELECT sync_enable();
CREATE SCHEMA other; CREATE SCHEMA untouched;
CREATE TABLE same (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v varchar(10) COLLATE "C" NOT NULL DEFAULT 'x', g int GENERATED ALWAYS AS (1 + 1) STORED);
CREATE TABLE ref (id int REFERENCES same);
CREATE TABLE other."Mixed ""case""" (x int);
SQL
}
sub shapes { my ($arguments) = @_; return run_script($b, $a, 'SELECT * FROM sync_compare_schema(:c' . ($arguments || '') . ');', db => 'shapes', to_db => 'shapes'); }
is(shapes(), '', 'equal definitions');
$a->safe_psql('shapes', <<'SQL');
CREATE TABLE only_there (id int);
CREATE TABLE ref_there (id int PRIMARY KEY);
CREATE TABLE t (id bigint PRIMARY KEY, v text DEFAULT 'a', dt timestamptz DEFAULT '2024-02-03 04:05:06+00', n int NOT NULL, c text COLLATE "C", g int GENERATED ALWAYS AS (1) STORED, i int GENERATED ALWAYS AS IDENTITY,
  "There only" date, r int REFERENCES ref_there, s smallint NOT NULL DEFAULT 0);
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE TABLE other.moved (id int);
CREATE TABLE vw (x int);
SQL
$b->safe_psql('shapes', <<'SQL');
CREATE TABLE only_here (id int);
CREATE TABLE untouched.unknown_there (id int);
CREATE TABLE ref_there (id int PRIMARY KEY);
CREATE TABLE t (s smallint NOT NULL DEFAULT 0, id int, v varchar(5) DEFAULT 'b', dt timestamptz DEFAULT '2024-02-03 04:05:06+00', n int, c text, g int DEFAULT 1, i int GENERATED BY DEFAULT AS IDENTITY, here text[], r int, PRIMARY KEY (id, i));
CREATE TABLE parts (id int);
CREATE VIEW vw AS SELECT 1 AS x;
SQL
my $expected = <<'OUT';
other.moved|table||table
only_here|table|table|
only_there|table||table
parts|table kind|table|partitioned table
t|type|id integer|id bigint
t|type|v varchar(5)|v text
t|default|v 'b'::character varying|v 'a'::text
t|not null||n NOT NULL
t|collation||c pg_catalog."C"
t|default|g 1|
t|generated||g 1
t|identity|i BY DEFAULT|i ALWAYS
t|column|here text[]|
t|column||"There only" date
t|primary key|(id, i)|(id)
t|foreign key||ref_there
vw|table kind|view|table
OUT
same(shapes(), $expected, 'all that differs; of schemas of which the peer shows nothing, nothing');
same(shapes(q(, ARRAY['only_here', 'other."Mixed ""case"""', 'public.parts', 'untouched.unknown_there'])), <<'OUT', 'tables that are named');
only_here|table|table|
parts|table kind|table|partitioned table
untouched.unknown_there|table|table|
OUT
is(shapes(q(, '{}')), '', 'none of them');
sub shapes_refused
{
	my ($sqlstate, $text, $name, $arguments) = @_;
	return fails_with($b, pull_script($a, "SELECT * FROM sync_compare_schema(:c, $arguments);", db => 'shapes'), $sqlstate, $text, $name, db => 'shapes');
}
shapes_refused('42P01', qr/"nowhere" exists neither here nor there/, 'a table that nobody has', q('{nowhere}'));
shapes_refused('22004', undef, 'no name', q('{NULL}'));
shapes_refused('22023', undef, 'what is no name', q('{a.b.c}'));
is(run_script($b, $a, q(BEGIN READ ONLY; SELECT count(*) FROM sync_compare_schema(:c, '{t}');), db => 'shapes', to_db => 'shapes'), '12', 'in a read-only transaction');
foreach my $case ([ 'no list', tables => http_body(200, '{"tables": 5}'), '08P01' ], [ 'a refusal', tables => http_body(403, '{"error": {"sqlstate": "42501", "message": "no"}}'), '42501' ],
	[ 'a definition that is none', open => http_body(200, '{"tables": [{"definition": {"columns": [{"name": 5}]}, "complete": true}]}'), '08P01' ], [ 'fewer definitions than names', open => http_body(200, '{"tables": []}'), '08P01' ])
{
	my ($what, $operation, $answer, $sqlstate) = @$case;
	my $port = playing_peer(tables => http_body(200, '{"tables": [{"schema": "public", "name": "t", "size_bytes": 1}]}'), $operation => $answer);
	fails_with($b, "SELECT * FROM sync_compare_schema(sync_connect('http://localhost:$port', 'ABCDEFGH'))", $sqlstate, undef, "definitions: $what");
}

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
