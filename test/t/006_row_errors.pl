# Rows that fail, columns that differ, over the wire: nothing changes that the contract does not allow.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');
my $url = sync_url($a);

sub reset_target { $b->safe_psql('postgres', "DROP TABLE IF EXISTS t CASCADE; $_[0]"); }

# ---- definitions that differ ---------------------------------------------------------------------

$a->safe_psql('postgres', q(CREATE TABLE t (id int PRIMARY KEY, a text, b int, c numeric, gone text);
	INSERT INTO t SELECT i, 'a' || i, i, i / 3.0, 'x' FROM generate_series(1, 10) i));
reset_target('CREATE TABLE t (id int PRIMARY KEY, a text, b int, c numeric)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't');)), '42804', qr/lacks columns.*Missing here: gone.*drop_extra_columns/s, 'a column is missing here');
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 't', drop_extra_columns => true);)), '10', 'unless it may be left out');
reset_target(q(CREATE TABLE t (id int PRIMARY KEY, a text, b int, c numeric, gone text, mine text DEFAULT 'my own', more int)));
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 't');)), '10', 'columns that are missing there');
is($b->safe_psql('postgres', 'SELECT DISTINCT mine, more FROM t'), 'my own|', 'take their default');
reset_target('CREATE TABLE t (id bigint PRIMARY KEY, a varchar(10), b numeric, c float8, gone text)');
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 't');)), '10', 'types that differ travel as text');
is($b->safe_psql('postgres', q(SELECT id, a, b, c FROM t WHERE id = 10)), '10|a10|10|3.3333333333333335', 'and are exact');
reset_target('CREATE TABLE t (id int PRIMARY KEY, a text, b timestamptz, c bool, gone text)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't');)), '42804', qr/b is integer there and timestamp with time zone here; column c is numeric there and boolean here/, 'types that have nothing in common');
reset_target('CREATE TABLE t (id int PRIMARY KEY, a text, b smallint, c int, gone text)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't');)), '22P02', qr/Row 1 with key \{"id": 1\}/, 'a value that the other type does not take');
is( run_script($b, $a, q(SELECT created, error_count, errors->0->>'sqlstate' FROM sync_transfer(:c, 't', max_errors => 100);)),
	'0|10|22P02', 'is an error of its row');
$a->safe_psql('postgres', q(UPDATE t SET c = 1));
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 't');)), '10', 'a value that it takes');
$b->safe_psql('postgres', 'CREATE VIEW a_view AS SELECT 1 AS id');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', 'a_view');)), '42809', undef, 'into a view');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', 'nowhere.t');)), '3F000', qr/CREATE SCHEMA nowhere/, 'into a schema that is not there');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', 'new_table', create_missing_tables => false);)), '42P01', qr/create_missing_tables/, 'into a table that is not there');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'nix');)), '42P01', qr/remote:/, 'from a table that is not there');
$a->safe_psql('postgres', 'CREATE VIEW v AS SELECT * FROM t');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'v');)), '42809', qr/remote:/, 'from a view');
is(run_script($b, $a, q(SELECT count(*) FROM sync_remote_fetch(:c, 'v');)), '10', 'which can be read');

# Arguments.
foreach my $case (
	[ q(strategy => 'replace'), '22023', qr/Available values: skip, overwrite, merge, append, mirror\./ ],
	[ q(strategy => NULL), '22004', undef ], [ q(mode => 'fast'), '22023', undef ], [ q(triggers => 'maybe'), '22023', undef ],
	[ q(sequences => 'back'), '22023', undef ], [ q(batch_size => 0), '22023', undef ], [ q(batch_size => -5), '22023', undef ],
	[ q(max_errors => -1), '22023', undef ], [ q(create_missing_tables => NULL), '22004', undef ],
	[ q(local_table => 'a.b.c'), '22023', qr/invalid table name "a\.b\.c".*HINT/s ], [ q(local_table => 'a "b'), '42602', qr/invalid table name "a "b".*HINT/s ],
	[ q(local_table => ''), '42602', qr/invalid table name ""/ ],
	[ q(max_rate => 0), '22023', qr/must be positive/ ], [ q(max_deletes => -1), '22023', undef ])
{
	my ($argument, $sqlstate, $text) = @$case;
	fails_with($b, pull_script($a, "SELECT sync_transfer(:c, 't', $argument);"), $sqlstate, $text, $argument);
}
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{t}', strategies => '{"t": "nix"}');)), '22023', undef, 'a strategy for a table');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{t}', strategies => '[]');)), '22023', undef, 'strategies that are none');
# A slip in a name must not go by in silence: the table has the strategy of all then.
my (undef, undef, $slip) = $b->psql('postgres', pull_script($a, q(SELECT FROM sync_transfer_all(:c, '{t}', strategies => '{"public.t": "skip", "Tt": "merge"}', dry_run => true);)));
like($slip, qr/WARNING:  argument "strategies" has a strategy for table "Tt", which is not part of this call/, 'a strategy for no table');
is(scalar(() = $slip =~ /WARNING/g), 1, 'is the only one');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{NULL}');)), '22004', undef, 'a null among tables');
fails_with($b, pull_script($a, q(SELECT sync_remote_fetch(:c, 't', -1);)), '22023', undef, 'a negative page');
fails_with($b, pull_script($a, q(SELECT sync_remote_fetch(:c, 't', after => '[]');)), '22023', qr/"after" must be a JSON object/, 'a page behind no key');
fails_with($b, pull_script($a, q(SELECT sync_remote_fetch(:c, 't', 9223372036854775807);)), '54000', qr/max_page_rows/, 'a huge page');

# ---- one row in many -----------------------------------------------------------------------------

my $rows = 60_000;
$a->safe_psql('postgres', qq(CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 100);
	CREATE TABLE many (id int PRIMARY KEY, parent int, email text, v int, note text);
	ANALYZE parent));
# Rows of which only those are bad that the expressions say.
sub fill_many
{
	my ($parent, $email, $v) = @_;
	$a->safe_psql('postgres', "TRUNCATE many; INSERT INTO many SELECT i, $parent, $email, $v, 'n' FROM generate_series(1, $rows) i; ANALYZE many");
}
fill_many('1 + i % 100', "'e' || i", 'CASE i WHEN 34567 THEN -1 ELSE 1 END');
$b->safe_psql('postgres', 'CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(1, 100)');
my %tables = (
	'a check' => 'CREATE TABLE many (id int PRIMARY KEY, parent int, email text, v int CHECK (v > 0), note text)',
	'a check, kept row by row' => 'CREATE TABLE many (id int PRIMARY KEY, parent int, email text, v int CHECK (v > 0), note text); INSERT INTO many VALUES (0, 1, NULL, 1, NULL)',
	'a domain' => 'CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TABLE many (id int PRIMARY KEY, parent int, email text, v positive, note text)',
	'a trigger' => q(CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v < 0 THEN RAISE 'negative'; END IF; RETURN NEW; END $$;
		CREATE TABLE many (id int PRIMARY KEY, parent int, email text, v int, note text);
		CREATE TRIGGER refuse BEFORE INSERT ON many FOR EACH ROW EXECUTE FUNCTION refuse()),
);
foreach my $what (sort keys %tables)
{
	$b->safe_psql('postgres', "DROP TABLE IF EXISTS many; $tables{$what}");
	my $before = $b->safe_psql('postgres', 'SELECT count(*) FROM many');
	fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'many');)), $what eq 'a trigger' ? 'P0001' : '23514',
		qr/DETAIL:  Row 34567 with key \{"id": 34567\}.*HINT:  1 row has failed, more than max_errors => 0/s, $what);
	is($b->safe_psql('postgres', 'SELECT count(*) FROM many'), $before, 'nothing has changed');
	is( run_script($b, $a, q(SELECT created, error_count, errors->0->'key', errors->0->'position' FROM sync_transfer(:c, 'many', max_errors => 1);)),
		($rows - 1) . '|1|{"id": 34567}|34567', "$what, with one allowed");
}
# A violation that only all rows together show.
fill_many('1 + i % 100', "CASE i WHEN 34567 THEN 'e5' ELSE 'e' || i END", '1');
$b->safe_psql('postgres', 'DROP TABLE many; CREATE TABLE many (id int PRIMARY KEY, parent int, email text UNIQUE, v int, note text)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'many');)), '23505', qr/Row 34567 with key.*Key \(email\)=\(e5\)/s, 'another unique key');
is( run_script($b, $a, q(SELECT created, error_count, errors->0->'constraint' FROM sync_transfer(:c, 'many', max_errors => 1);)),
	($rows - 1) . '|1|"many_email_key"', 'with one allowed');
fill_many('CASE i WHEN 34567 THEN 555 ELSE 1 + i % 100 END', "'e' || i", '1');
$b->safe_psql('postgres', 'DROP TABLE many; CREATE TABLE many (id int PRIMARY KEY, parent int REFERENCES parent, email text UNIQUE, v int, note text)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'many');)), '23503', qr/\(parent\)=\(555\)/, 'a foreign key');
is($b->safe_psql('postgres', 'SELECT count(*) FROM many'), '0', 'nothing has changed');
is( run_script($b, $a, q(SELECT created, error_count, errors->0->'constraint' FROM sync_transfer(:c, 'many', max_errors => 1);)),
	($rows - 1) . '|1|"many_parent_fkey"', 'with one allowed');

# Ten of them, found among the others; as many as there are when it is one too many.
fill_many('CASE WHEN i % 6000 = 1 OR i = 34567 THEN 1000 + i ELSE 1 + i % 100 END', "'e' || i", '1');
$b->safe_psql('postgres', 'TRUNCATE many');
is( run_script($b, $a, q(SELECT created, error_count, jsonb_path_query_array(errors, '$[*].key.id') FROM sync_transfer(:c, 'many', max_errors => 20);)),
	($rows - 11) . '|11|[1, 6001, 12001, 18001, 24001, 30001, 34567, 36001, 42001, 48001, 54001]', 'the bad rows are listed');
$b->safe_psql('postgres', 'TRUNCATE many');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'many', max_errors => 10);)), '23503', qr/11 rows have failed, more than max_errors => 10/, 'one too many');
is($b->safe_psql('postgres', 'SELECT count(*) FROM many'), '0', 'nothing has changed');

# Of several tables in one call, one that fails takes all with it.
$a->safe_psql('postgres', 'CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine SELECT generate_series(1, 20000); ANALYZE fine');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{fine, many}');)), '23503', undef, 'all or nothing');
is($b->safe_psql('postgres', q(SELECT to_regclass('fine') IS NULL)), 't', 'also what was created is gone');

# ---- every strategy, every class of error --------------------------------------------------------

# Ten bad rows of 20,000, each bad in its own way. What is read as text can fail as text.
$a->safe_psql('postgres', q{CREATE TABLE ways (id int PRIMARY KEY, s text, i text, c int, nn int, e text, fk int, during int4range, rls text, trg text, j json);
	INSERT INTO ways SELECT n, 's', '1', 1, 1, 'e' || n, 1, int4range(n, n + 1), 'mine', 't', '{}' FROM generate_series(1, 20000) n;
	UPDATE ways SET s = 'too long for it' WHERE id = 1; UPDATE ways SET i = '99999999999' WHERE id = 1999; UPDATE ways SET i = 'x' WHERE id = 3000; UPDATE ways SET c = -1 WHERE id = 4000; UPDATE ways SET nn = NULL WHERE id = 5001;
	UPDATE ways SET e = 'e1' WHERE id = 9999; UPDATE ways SET fk = 777 WHERE id = 10000; UPDATE ways SET during = '[500,501)' WHERE id = 10001; UPDATE ways SET rls = 'theirs' WHERE id = 15000; UPDATE ways SET trg = 'raise' WHERE id = 20000; CLUSTER ways USING ways_pkey; ANALYZE ways});
$b->safe_psql('postgres', q(CREATE ROLE clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk; GRANT SELECT ON parent TO clerk;
	CREATE FUNCTION raising() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.trg = 'raise' THEN RAISE 'raised'; END IF; RETURN NEW; END $$));
my $make_ways = q(DROP TABLE IF EXISTS ways; CREATE TABLE ways (id serial PRIMARY KEY, s varchar(10), i int, c int CHECK (c > 0), nn int NOT NULL, e text UNIQUE, fk int REFERENCES parent, during int4range, rls text, trg text, j jsonb, EXCLUDE USING gist (during WITH &&));
	CREATE TRIGGER raising BEFORE INSERT OR UPDATE ON ways FOR EACH ROW EXECUTE FUNCTION raising(); ALTER TABLE ways ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON ways USING (rls <> 'theirs' OR rls IS NULL); GRANT ALL ON ways TO clerk; GRANT ALL ON SEQUENCE ways_id_seq TO clerk);
my $bad = '[[1, "22001"], [1999, "22003"], [3000, "22P02"], [4000, "23514"], [5001, "23502"], [9999, "23505"], [10000, "23503"], [10001, "23P01"], [15000, "42501"], [20000, "P0001"]]';
my $list = q((SELECT jsonb_agg(jsonb_build_array(e->'key'->'id', e->'sqlstate')) FROM jsonb_array_elements(errors) e));
# The first of each strategy finds nothing, the second half of the rows with other values.
foreach my $strategy ('skip', 'overwrite', 'merge', 'append')
{
	$b->safe_psql('postgres', $make_ways);
	my $as_clerk = "SET sync.allowed_peers = '*';\nSET ROLE clerk;\n";
	my $run = sub { return $b->safe_psql('postgres', $as_clerk . pull_script($a, $_[0])); };
	# e1 is that of row 1, which fails itself; with it out of the way there must be another.
	my $before = $b->safe_psql('postgres', "INSERT INTO ways (id, nn, e) VALUES (-1, 1, 'e1'); SELECT setval('ways_id_seq', 1, false); SELECT pg_current_xact_id()::text::bigint");
	$before =~ s/.*\n//s;
	is($run->("SELECT created, updated, skipped, error_count, $list FROM sync_transfer(:c, 'ways', strategy => '$strategy', max_errors => 10);"), "19990|0|0|10|$bad", "$strategy: each is found and named");
	# Halving a batch takes two subtransactions for each level of its 14, and only for batches with bad rows.
	cmp_ok($b->safe_psql('postgres', 'SELECT pg_current_xact_id()::text::bigint') - $before, '<', 10 * 2 * 15 + 50, "$strategy: at the price of some subtransactions");
	is($b->safe_psql('postgres', 'SELECT count(*), count(DISTINCT e) FROM ways'), '19991|19991', 'the others are there');
	next if $strategy eq 'append';
	$b->safe_psql('postgres', 'UPDATE ways SET j = NULL WHERE id > 10000');
	my $updated = $strategy eq 'skip' ? 0 : 9997;
	is($run->("SELECT created, updated, skipped, error_count, $list FROM sync_transfer(:c, 'ways', strategy => '$strategy', max_errors => 10);"), "0|$updated|" . (19990 - $updated) . "|10|$bad", "$strategy: again, over rows that exist");
	my $refused = $as_clerk . pull_script($a, "SELECT sync_transfer(:c, 'ways', strategy => '$strategy', max_errors => 9);");
	fails_with($b, $refused, '22001', qr/DETAIL:  Row 1 with key \{"id": 1\}.*HINT:  10 rows have failed, more than max_errors => 9/s, "$strategy: one less allowed");
}
# Good rows take none.
$b->safe_psql('postgres', 'CREATE TABLE good (id int PRIMARY KEY, e text UNIQUE)');
my $xid = $b->safe_psql('postgres', 'SELECT pg_current_xact_id()::text::bigint');
is(run_script($b, $a, q(SELECT created, error_count FROM sync_transfer(:c, 'ways', 'good', drop_extra_columns => true, mode => 'online', max_errors => 1);)), '19999|1', 'one bad row');
cmp_ok($b->safe_psql('postgres', 'SELECT pg_current_xact_id()::text::bigint') - $xid, '<', 50, 'costs a few');

# In an exception block the transaction goes on.
$b->safe_psql('postgres', 'CREATE TABLE journal (entry text)');
my $code = new_code($a);
is( $b->safe_psql('postgres', <<"SQL"), "caught 23503\nt", 'an exception block survives');
DO \$\$
DECLARE c int := sync_connect('$url', '$code');
BEGIN
    BEGIN
        PERFORM sync_transfer(c, 'many');
    EXCEPTION WHEN foreign_key_violation THEN
        INSERT INTO journal VALUES ('caught ' || SQLSTATE);
    END;
    PERFORM sync_transfer(c, 'fine');
    PERFORM sync_disconnect(c);
END \$\$;
SELECT * FROM journal;
SELECT count(*) = 20000 FROM fine;
SQL

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
