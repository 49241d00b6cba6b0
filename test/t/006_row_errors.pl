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
	[ q(local_table => 'a.b.c'), '22023', undef ],
	[ q(max_rate => 1000), '0A000', undef ])
{
	my ($argument, $sqlstate, $text) = @$case;
	fails_with($b, pull_script($a, "SELECT sync_transfer(:c, 't', $argument);"), $sqlstate, $text, $argument);
}
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{t}', strategies => '{"t": "nix"}');)), '22023', undef, 'a strategy for a table');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{t}', strategies => '[]');)), '22023', undef, 'strategies that are none');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{NULL}');)), '22004', undef, 'a null among tables');
fails_with($b, pull_script($a, q(SELECT sync_remote_fetch(:c, 't', -1);)), '22023', undef, 'a negative page');
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
