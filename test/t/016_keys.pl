# Rows find each other: without a key, by keys of all types and shapes, and when unique values have moved between them.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
sub on_a { return $a->safe_psql('postgres', $_[0]); }
sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub both { on_a($_[0]); return on_b($_[0]); }
sub transfer
{
	my ($table, $strategy, $options) = @_;
	return run_script($b, $a, "SET client_min_messages = warning;\nSELECT created, updated, skipped, error_count FROM sync_transfer(:c, '$table', strategy => '$strategy'" . ($options ? ", $options" : '') . ");");
}
sub refused
{
	my ($table, $strategy, $sqlstate, $text, $name) = @_;
	return fails_with($b, pull_script($a, "SELECT sync_transfer(:c, '$table', strategy => '$strategy');"), $sqlstate, $text, $name);
}
sub equal
{
	my ($table, $what) = @_;
	return is(on_b("SELECT sync_checksum('$table')"), on_a("SELECT sync_checksum('$table')"), "$what: equal");
}

# ---- no key, and what is none --------------------------------------------------------------------

both('CREATE TABLE plain (a int, b text)');
on_a(q(INSERT INTO plain VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, NULL), (NULL, NULL)));
is(transfer('plain', 'skip'), '5|0|0|0', 'no key: all rows go over, doubles too');
equal('plain', 'no key');
is(transfer('plain', 'append'), '5|0|0|0', 'and once more');
is(on_b('SELECT count(*) FROM plain'), '10', 'as they are not told apart');
refused('plain', $_, '42830', qr/table "plain" has no key for strategy "$_".*HINT:  Add a primary key/s, "no key: $_") foreach qw(overwrite merge);

my %no_keys = (
	'nullable' => 'CREATE UNIQUE INDEX ON t (a)', 'NULLS NOT DISTINCT' => 'CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT',
	'partial' => 'ALTER TABLE t ALTER a SET NOT NULL; CREATE UNIQUE INDEX ON t (a) WHERE a > 0', 'on an expression' => 'ALTER TABLE t ALTER a SET NOT NULL; CREATE UNIQUE INDEX ON t (abs(a))',
	'deferrable' => 'ALTER TABLE t ALTER a SET NOT NULL, ADD UNIQUE (a) DEFERRABLE', 'an exclusion constraint' => 'ALTER TABLE t ALTER a SET NOT NULL, ADD EXCLUDE USING btree (a WITH =)',
	'invalid' => q(ALTER TABLE t ALTER a SET NOT NULL; CREATE UNIQUE INDEX t_a ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass),
	'not unique' => 'ALTER TABLE t ALTER a SET NOT NULL; CREATE INDEX ON t (a)', 'a key in INCLUDE only' => 'ALTER TABLE t ALTER b SET NOT NULL; CREATE UNIQUE INDEX ON t (a) INCLUDE (b)');
foreach my $what (sort keys %no_keys)
{
	both("DROP TABLE IF EXISTS t; CREATE TABLE t (a int, b text, v text); $no_keys{$what}; INSERT INTO t VALUES (1, 'x', 'v')");
	refused('t', 'overwrite', '42830', undef, "$what is no key");
}
my %keys = ('an index' => 'CREATE UNIQUE INDEX ON t (a)', 'a constraint' => 'ALTER TABLE t ADD UNIQUE (a)', 'INCLUDE' => 'CREATE UNIQUE INDEX ON t (a) INCLUDE (b)', 'two columns in another order' => 'ALTER TABLE t ALTER b SET NOT NULL; CREATE UNIQUE INDEX ON t (b, a)', 'descending' => 'CREATE UNIQUE INDEX ON t (a DESC)');
foreach my $what (sort keys %keys)
{
	both("DROP TABLE IF EXISTS t; CREATE TABLE t (a int NOT NULL, b text, v text); $keys{$what}; INSERT INTO t SELECT i, 'b' || i, 'v' || i FROM generate_series(1, 20) i");
	on_b(q(UPDATE t SET v = 'mine' WHERE a > 15; DELETE FROM t WHERE a < 4));
	is(transfer('t', 'overwrite'), '3|5|12|0', "$what is a key");
	equal('t', $what);
	is(transfer('t', 'merge'), '0|0|20|0', 'for merge too');
}
refused('t', 'skip', '23505', qr/Row \d+ with key \{"a": \d+/, 'skip without a primary key inserts');

# Which index is the key is found out twice: in the catalogs as a snapshot sees them, for a transfer, and in the server's
# caches, for an import. Each tells its key with a row that fails.
my %odd = (
	'the primary key, however many columns it has' => [ 'ADD PRIMARY KEY (b, a), ADD UNIQUE (c)', 'a b' ],
	'a deferrable primary key' => [ 'ADD PRIMARY KEY (b) DEFERRABLE, ADD UNIQUE (a)', 'b' ],
	'the fewest columns' => [ 'ADD CONSTRAINT a1 UNIQUE (a, b), ADD CONSTRAINT z1 UNIQUE (c)', 'c' ],
	'then the first name, byte by byte' => [ 'ADD CONSTRAINT a1 UNIQUE (a), ADD CONSTRAINT "Z1" UNIQUE (c)', 'c' ],
	'INCLUDE does not count' => [ 'ADD CONSTRAINT a1 UNIQUE (a, b), ADD CONSTRAINT z1 UNIQUE (c) INCLUDE (a, b, v)', 'c' ],
	'not one that may be null' => [ 'ADD UNIQUE (a, b), ADD UNIQUE (v), ADD UNIQUE (a, v)', 'a b' ],
	'nor with NULLS NOT DISTINCT' => [ 'ADD UNIQUE (a, b), ADD UNIQUE NULLS NOT DISTINCT (v)', 'a b' ],
	'nor deferrable' => [ 'ADD UNIQUE (a, b), ADD UNIQUE (c) DEFERRABLE', 'a b' ],
	'nor partial' => [ 'ADD UNIQUE (a, b); CREATE UNIQUE INDEX ON t (c) WHERE a > 0', 'a b' ],
	'nor on an expression' => [ 'ADD UNIQUE (a, b); CREATE UNIQUE INDEX ON t (lower(c))', 'a b' ],
	'nor on a column and an expression' => [ 'ADD UNIQUE (a, b); CREATE UNIQUE INDEX ON t (a, lower(c))', 'a b' ],
	'nor invalid' => [ q(ADD UNIQUE (a, b); CREATE UNIQUE INDEX t_c ON t (c); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_c'::regclass), 'a b' ],
	'nor not unique' => [ 'ADD UNIQUE (a, b); CREATE INDEX ON t (c)', 'a b' ],
	'nor of an exclusion constraint' => [ 'ADD UNIQUE (a, b), ADD EXCLUDE USING btree (c WITH =)', 'a b' ],
	'nor under another collation' => [ 'ADD UNIQUE (a, b); CREATE UNIQUE INDEX ON t (c COLLATE "POSIX")', 'a b' ],
	'another operator class' => [ 'ADD UNIQUE (a, b); CREATE UNIQUE INDEX ON t (c text_pattern_ops)', 'c' ],
	'behind a column that was dropped' => [ 'DROP gone, ADD UNIQUE (c, b)', 'b c' ],
	'none' => [ 'ADD UNIQUE (v)', 'none' ]);
foreach my $what (sort keys %odd)
{
	my ($indexes, $key) = @{ $odd{$what} };
	both("DROP TABLE IF EXISTS t; CREATE TABLE t (gone int, a int NOT NULL, v text, b int NOT NULL, c text NOT NULL); ALTER TABLE t $indexes; INSERT INTO t (a, b, c, v) VALUES (1, 2, 'c', 'v'), (3, 4, 'd', 'w')");
	on_b(q(ALTER TABLE t ADD CHECK (v <> 'bad')));
	on_a(q(UPDATE t SET v = 'bad' WHERE a = 1));
	my $told = q{skipped || ' ' || (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(errors->0->'key') k)};
	my ($cached, $read) = ("$told FROM sync_import('t', '[{\"a\": 1, \"b\": 2, \"c\": \"c\", \"v\": \"bad\"}, {\"a\": 3, \"b\": 4, \"c\": \"d\", \"v\": \"w\"}]', 'overwrite')",
		"$told FROM sync_transfer(:c, 't', strategy => 'overwrite', max_errors => NULL)");
	if ($key eq 'none')
	{
		fails_with($b, "SELECT $cached", '42830', undef, "$what: import");
		fails_with($b, pull_script($a, "SELECT $read;"), '42830', undef, "$what: transfer");
		next;
	}
	is(on_b("SELECT $cached"), "1 $key", "key: $what: import");
	is(run_script($b, $a, "SET client_min_messages = warning;\nSELECT $read;"), "1 $key", "key: $what: transfer");
}

# ---- keys of all types, in all orders ------------------------------------------------------------

both(q(CREATE EXTENSION citext; CREATE TYPE colour AS ENUM ('red', 'green', 'blue'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN code AS varchar(8) CHECK (VALUE <> ''); CREATE DOMAIN codes AS code;
	CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)));
# Another order of labels here: text is what they have in common.
on_b(q(ALTER TYPE colour RENAME TO was; CREATE TYPE colour AS ENUM ('blue', 'red', 'green'); DROP TYPE was));
my %types = (
	smallint => [ -32768, 0, 32767 ], bigint => [ '-9223372036854775808', '9223372036854775807' ], numeric => [ '1.0', '1.01', "'NaN'", "'-Infinity'", '1e50' ], float8 => [ "'-0'", "'NaN'", "'Infinity'", '5e-324' ], bool => [ 'true', 'false' ],
	text => [ "''", "'a'", "'A'", "'ä'", "'NULL'", "'a b'", "U&'a\\0308'" ], 'text COLLATE "C"' => [ "'a'", "'A'", "'ä'" ], 'text COLLATE nocase' => [ "'a'", "'B'", "'ß'" ], 'char(4)' => [ "'a'", "'ab'", "''" ], '"char"' => [ "'a'", "''" ], name => [ "'n'" ], citext => [ "'Ab'", "'b'" ], code => [ "'x'" ], codes => [ "'x'", "'y'" ],
	uuid => [ "'00000000-0000-0000-0000-00000000000f'" ], bytea => [ "''", "'\\x00'", "'\\x0000'", "'\\xff'" ], date => [ "'infinity'", "'-infinity'", "'0044-03-15 BC'" ], timestamptz => [ "'infinity'", "'2024-03-31 01:30+01'" ], interval => [ "'1 mon'", "'1 day'" ], time => [ "'24:00'", "'00:00'" ],
	colour => [ "'red'", "'green'", "'blue'" ], int4range => [ "'empty'", "'[1,5)'", "'(,)'" ], inet => [ "'10.1.2.3/8'", "'10.1.2.3'" ], macaddr => [ "'08:00:2b:01:02:03'" ], 'bit(3)' => [ "'101'" ], varbit => [ "''", "'1'" ], pg_lsn => [ "'0/1'" ], 'int[]' => [ "'{}'", "'{1,NULL}'", "'[0:1]={1,2}'" ], pair => [ "'(1,x)'", "'(1,)'", "'(,)'" ], jsonb => [ q('{"a": 1.0}'), q('null'), q('[]') ], oid => [ 1, 4294967295 ], tsvector => [ "'a:1'" ], money => [ '1.00::money' ]);
foreach my $type (sort keys %types)
{
	my $n = 0;
	my $rows = @{ $types{$type} };
	on_a("DROP TABLE IF EXISTS t; CREATE TABLE t (v int, x text, k $type PRIMARY KEY); INSERT INTO t (k, v) VALUES " . join(', ', map { "($_, " . ++$n . ')' } @{ $types{$type} }));
	on_b("DROP TABLE IF EXISTS t; CREATE TABLE t (k $type, x text DEFAULT 'd', v int, PRIMARY KEY (k))");
	is(transfer('t', 'skip'), "$rows|0|0|0", "key of type $type");
	on_b('DELETE FROM t WHERE v = 1; UPDATE t SET v = 99 WHERE v = 2');
	my $updated = $rows > 1 ? 1 : 0;
	is(transfer('t', 'overwrite'), "1|$updated|" . ($rows - 1 - $updated) . '|0', "$type: rows are found");
	equal('t', $type);
	is(transfer('t', 'overwrite'), "0|0|$rows|0", "$type: found equal");
	is( run_script($b, $a, "SELECT count(*), count(DISTINCT r->'k') FROM (SELECT r FROM sync_remote_fetch(:c, 't', 1) r UNION ALL SELECT n.r FROM sync_remote_fetch(:c, 't', 1) p(r), sync_remote_fetch(:c, 't', 100, 0, p.r) n(r)) s;"),
		"$rows|$rows", "$type: pages go on behind a key");
}

# Composite keys, in an order that is not the table's; a table that is all key; keys that look alike.
both('DROP TABLE t; CREATE TABLE t (v int, b text, a text, c numeric, PRIMARY KEY (c, a, b)); CREATE TABLE keys_only (b text, a int, PRIMARY KEY (a, b))');
on_a(q(INSERT INTO t SELECT i, x.b, x.a, c FROM generate_series(1, 2) i, (VALUES ('a b', 'c'), ('a', 'b c'), ('', 'a bc'), ('NULL', '')) x(a, b), LATERAL (VALUES (i + 0.0), (i + 0.5)) y(c); INSERT INTO keys_only VALUES ('x', 1), ('y', 1), ('x', 2)));
is(transfer('t', 'overwrite'), '16|0|0|0', 'composite key');
on_b(q(DELETE FROM t WHERE b = 'c'; UPDATE t SET v = -v WHERE b = '' AND c < 2));
is(transfer('t', 'overwrite'), '4|2|10|0', 'rows are found by all of it');
equal('t', 'composite key');
is(transfer('keys_only', 'overwrite'), '3|0|0|0', 'a table that is all key');
on_b('DELETE FROM keys_only WHERE a = 2');
is(transfer('keys_only', 'merge'), '1|0|2|0', 'is merged');
refused('keys_only', 'append', '0A000', qr/no default/, 'but not appended');

# A key that tells less apart here than there: of two rows that become one, the later counts, however the rows are batched.
on_a(q(DROP TABLE t; CREATE TABLE t (k text PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1), ('b', 2), ('A', 3), ('c', 4), ('C', 5)));
foreach my $options ('', 'batch_size => 1', "mode => 'online'")
{
	on_b('DROP TABLE t; CREATE TABLE t (k text COLLATE nocase PRIMARY KEY, v int)');
	like(transfer('t', 'overwrite', $options), qr/^3\|[02]\|[02]\|0$/, 'keys that are one here');
	is(on_b('SELECT string_agg(k || v, $$ $$ ORDER BY v) FROM t'), 'b2 A3 C5', 'the later row counts');
}

# ---- unique values that move ---------------------------------------------------------------------

# Between rows that come in different batches, to rows that are new, in circles and rows of them.
both(q(CREATE TABLE u (id int PRIMARY KEY, email text NOT NULL UNIQUE, note text); CREATE TABLE ref (id int PRIMARY KEY, u int REFERENCES u); INSERT INTO u SELECT i, 'e' || i, 'n' FROM generate_series(1, 1000) i; INSERT INTO ref SELECT i, i FROM generate_series(1, 1000) i));
on_a(q(ALTER TABLE u DROP CONSTRAINT u_email_key; UPDATE u SET email = 'e' || (1001 - id) WHERE id <= 500 OR id > 980; UPDATE u SET email = 'e' || (1001 - id) WHERE id BETWEEN 501 AND 980; ALTER TABLE u ADD UNIQUE (email)));
is(transfer('u', 'overwrite', 'batch_size => 70'), '0|1000|0|0', 'pairs that change places, in batches that are far apart');
equal('u', 'changed places');
on_a(q(UPDATE u SET email = 'moved on' WHERE id = 999; INSERT INTO u VALUES (-5, 'e2', 'took it')));
is(transfer('u', 'overwrite', 'batch_size => 70'), '1|1|999|0', 'a value that a new row has taken');
equal('u', 'taken');
# The new row comes first.
on_a(q(CREATE TABLE u2 AS TABLE u; TRUNCATE u, ref; INSERT INTO u VALUES (2000, 'e500', 'first'); INSERT INTO u SELECT id, CASE id WHEN 501 THEN 'other' ELSE email END, note FROM u2 ORDER BY id));
is(transfer('u', 'overwrite', 'batch_size => 70'), '1|1|1000|0', 'even before the other had let it go');
equal('u', 'taken early');
is(on_b('SELECT count(*) FROM ref'), '1000', 'and no reference was lost');
on_a(q(ALTER TABLE u DROP CONSTRAINT u_email_key; WITH n AS (SELECT id, lead(email, 1, 'last') OVER (ORDER BY id) AS e FROM u) UPDATE u SET email = n.e FROM n WHERE n.id = u.id; ALTER TABLE u ADD UNIQUE (email)));
is(transfer('u', 'overwrite', 'batch_size => 300'), '0|1002|0|0', 'each value has moved to its neighbour');
equal('u', 'moved');

# A value that a row of ours holds on to is an error of the row, with all that is needed to find it.
on_b(q(INSERT INTO u VALUES (7777, 'mine', 'only here')));
on_a(q(UPDATE u SET email = 'mine' WHERE id = 3));
my $err = refused('u', 'overwrite', '23505', qr/DETAIL:  Row \d+ with key \{"id": 3\}: Key \(email\)=\(mine\) already exists\./, 'a value that is taken here');
is(transfer('u', 'overwrite', 'max_errors => 1'), '0|0|1001|1', 'one error, no row lost');
is(on_b('SELECT count(*) FROM u'), '1003', 'and none too many');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
