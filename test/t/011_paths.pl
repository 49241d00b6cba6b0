# The two ways in which rows get into a table: in bulk where that is allowed, else by sets. The result is the same.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');
my $rows = 12_000;
$a->safe_psql('postgres', <<"SQL");
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(0, 99);
CREATE TABLE t (id int PRIMARY KEY, p int, v text, n numeric);
INSERT INTO t SELECT i, i % 100, CASE WHEN i % 7 > 0 THEN repeat('v' || i, i % 50) END, i / 3.0 FROM generate_series(1, $rows) i;
UPDATE t SET v = repeat(md5(id::text), 1000) WHERE id % 1000 = 0;
ANALYZE;
SQL
my $sum = $a->safe_psql('postgres', q(SELECT sync_checksum('t')));
$b->safe_psql('postgres', 'CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 99); CREATE TABLE log (what text)');

my $why = qr/table "t" is not loaded in bulk: (.*)/;
sub transfer
{
	my ($definition, $arguments, %options) = @_;
	$b->safe_psql('postgres', "DROP TABLE IF EXISTS t CASCADE; $definition");
	my $script = pull_script($a, "SET client_min_messages = debug1;\n" . ($options{before} || '')
		  . "SELECT created, updated, skipped, error_count FROM sync_transfer(:c, 't'" . ($arguments || '') . ");\n" . ($options{after} || ''));
	my ($ret, $out, $err) = $b->psql('postgres', $script);
	my ($refusal) = $err =~ $why;
	return ($out, $refusal // '', $err);
}
my $plain = 'CREATE TABLE t (id int PRIMARY KEY, p int, v text, n numeric)';

# Allowed, in all the shapes that a table may have.
my %allowed = (
	'a plain table' => $plain,
	'unlogged' => 'CREATE UNLOGGED TABLE t (id int PRIMARY KEY, p int, v text, n numeric)',
	'no key' => 'CREATE TABLE t (id int, p int, v text, n numeric)',
	'other columns' => 'CREATE TABLE t (n numeric, gone int, v text, p int, id int PRIMARY KEY); ALTER TABLE t DROP gone',
	'indexes of many kinds' => "$plain; CREATE INDEX ON t (p, v) WHERE p > 5; CREATE INDEX ON t (lower(v)) INCLUDE (n); CREATE INDEX ON t USING hash (p); CREATE INDEX ON t USING brin (id); CREATE UNIQUE INDEX ON t (n)",
	'an exclusion constraint' => "$plain; ALTER TABLE t ADD EXCLUDE USING btree (id WITH =)",
	'checks, not null, a domain' => 'DROP DOMAIN IF EXISTS small; CREATE DOMAIN small AS int CHECK (VALUE < 1000) NOT NULL; CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0), p small NOT NULL, v text, n numeric CHECK (n > 0))',
	'a foreign key' => 'CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES parent, v text, n numeric)',
	'a key to itself' => "$plain; ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES t NOT VALID; ALTER TABLE t DROP CONSTRAINT t_p_fkey",
	'a trigger that does not fire for INSERT' => "$plain; CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
	'a trigger that is disabled' => "$plain; CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); ALTER TABLE t DISABLE TRIGGER f",
	'a partition' => 'CREATE TABLE whole (id int, p int, v text, n numeric) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF whole FOR VALUES FROM (0) TO (100000)',
);
foreach my $what (sort keys %allowed)
{
	my ($out, $refusal, $err) = transfer($allowed{$what});
	is($out, "$rows|0|0|0", "$what: all rows");
	is($refusal, '', "$what: in bulk") or diag($err);
	is($b->safe_psql('postgres', q(SELECT sync_checksum('t'))), $sum, "$what: equal");
	$b->safe_psql('postgres', 'DROP TABLE IF EXISTS whole');
	next if $what eq 'a partition';
	is($b->safe_psql('postgres', q(SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND NOT (indisvalid AND indisready))), '0', "$what: all indexes are valid");
	is($b->safe_psql('postgres', q(SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM t WHERE id BETWEEN 100 AND 200)), '101', "$what: and hold the rows");
}

# A generated column, a default, an identity that the peer does not have.
my ($out, $refusal) = transfer('CREATE TABLE t (id int PRIMARY KEY, p int, v text, n numeric, twice numeric GENERATED ALWAYS AS (n * 2) STORED, made int GENERATED ALWAYS AS IDENTITY, word text DEFAULT upper(\'w\'))');
is("$out $refusal", "$rows|0|0|0 ", 'columns that we have alone: in bulk');
is($b->safe_psql('postgres', q(SELECT bool_and(twice = n * 2), count(DISTINCT made), max(made), min(word), max(word) FROM t)), "t|$rows|$rows|W|W", 'have their values');

# Not allowed; the set-based path does it, and says why at DEBUG1.
my %refused = (
	'rows' => [ "$plain; INSERT INTO t VALUES (-1, 1, 'x', 1)", 'it is not empty' ],
	'a BEFORE trigger' => [ "$plain; CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()", 'it has triggers for INSERT' ],
	'a statement trigger' => [ "$plain; CREATE TRIGGER n AFTER INSERT ON t EXECUTE FUNCTION note()", 'it has triggers for INSERT' ],
	'a rule' => [ "$plain; CREATE RULE r AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES ('update')", 'it has rules' ],
	'row level security' => [ "$plain; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY", undef ],
	'a deferrable key' => [ 'CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, p int, v text, n numeric)', 'a unique constraint is deferrable' ],
	'a partitioned table' => [ 'CREATE TABLE t (id int, p int, v text, n numeric) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (6000); CREATE TABLE t2 PARTITION OF t DEFAULT', 'it is not an ordinary table' ],
);
foreach my $what (sort keys %refused)
{
	my ($definition, $expected) = @{ $refused{$what} };
	next unless defined $expected;
	($out, $refusal) = transfer($definition);
	is($out, "$rows|0|0|0", "$what: all rows");
	is($refusal, $expected, "$what: not in bulk");
	$b->safe_psql('postgres', 'DELETE FROM t WHERE id < 0');
	is($b->safe_psql('postgres', q(SELECT sync_checksum('t'))), $sum, "$what: equal");
}

# Functions that look into the table would see its rows too late, and none of them by an index.
my $looks = q(CREATE OR REPLACE FUNCTION next_place() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT coalesce(max(place), 0) + 1 FROM t); END';
	CREATE OR REPLACE FUNCTION is_alone(new_id int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN new_id > 20 OR NOT EXISTS (SELECT FROM t WHERE id / 2 = new_id / 2); END';);
($out, $refusal) = transfer("$looks $plain; ALTER TABLE t ADD place int DEFAULT next_place(); CREATE INDEX ON t (place)");
is("$out $refusal", "$rows|0|0|0 a default calls a function of a user", 'a default that looks into the table');
is($b->safe_psql('postgres', 'SELECT count(DISTINCT place), max(place) FROM t'), "$rows|$rows", 'sees each row before');
($out, $refusal) = transfer("$looks $plain; ALTER TABLE t ADD CHECK (is_alone(id)); CREATE INDEX ON t ((id / 2))", ', max_errors => 100');
is($refusal, 'a check calls a function of a user', 'a check that looks into the table');
is($out, ($rows - 9) . '|0|0|9', 'refuses what it does not want');
($out, $refusal) = transfer("$plain; ALTER TABLE t ADD made timestamptz DEFAULT clock_timestamp(), ADD mark uuid DEFAULT gen_random_uuid()");
is("$out $refusal", "$rows|0|0|0 ", q(defaults by PostgreSQL's own functions: in bulk));

foreach my $case (
	[ q(, mode => 'online'), 'mode is online' ],
	[ q(, strategy => 'append'), 'the strategy is append' ])
{
	my ($arguments, $expected) = @$case;
	($out, $refusal) = transfer('CREATE TABLE t (id serial PRIMARY KEY, p int, v text, n numeric)', $arguments);
	is("$out $refusal", "$rows|0|0|0 $expected", $expected);
}
($out, $refusal) = transfer($plain, '', before => "BEGIN ISOLATION LEVEL REPEATABLE READ;\n", after => "COMMIT;\n");
is("$out $refusal", "$rows|0|0|0 the transaction may have an older snapshot", 'an older snapshot');

# Not the owner: by sets; the rights are the caller's.
$b->safe_psql('postgres', "DROP TABLE IF EXISTS t; $plain; CREATE ROLE clerk; GRANT SELECT, INSERT ON t TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk");
my ($ret, $stdout, $stderr) = $b->psql('postgres', "SET sync.allowed_peers = '*'; SET ROLE clerk; SET client_min_messages = debug1;\n" . pull_script($a, q(SELECT created FROM sync_transfer(:c, 't');)));
is($stdout, $rows, 'a role that may only INSERT');
like($stderr, qr/not loaded in bulk: the caller does not own it/, 'by sets');
fails_with($b, "SET sync.allowed_peers = '*'; SET ROLE clerk;\n" . pull_script($a, q(SELECT sync_transfer(:c, 't', strategy => 'overwrite');)), '42501', qr/permission denied for table t/, 'may not update');

# What violates only as a whole takes the bulk path back, and the other one names the row.
$a->safe_psql('postgres', 'UPDATE t SET n = 1 WHERE id = 5');
($out, $refusal, $stderr) = transfer("$plain; CREATE UNIQUE INDEX by_n ON t (n)");
like($stderr, qr/could not create unique index|duplicate key value violates unique constraint "by_n"/, 'a duplicate');
like($stderr, qr/ERROR:  duplicate key value violates unique constraint "by_n"\nDETAIL:  Row \d+ with key \{"id": (3|5)\}/, 'is named by the set-based path');
is($b->safe_psql('postgres', 'SELECT count(*) FROM t'), '0', 'nothing has changed');

# Two transfers of one table at once: no row is lost or doubled.
$b->safe_psql('postgres', "DROP TABLE t; $plain");
my @both = map { background($b, pull_script($a, q(SELECT created, skipped, error_count FROM sync_transfer(:c, 't');))) } 1 .. 2;
my $created = 0;
foreach my $one (@both)
{
	finished($one);
	$created += $1 if $one->{out} =~ /^(\d+)\|\d+\|0/m;
	is($one->{err}, '', 'no error');
}
is($created, $rows, 'each row was created once');
is($b->safe_psql('postgres', q(SELECT count(*), count(DISTINCT id) FROM t)), "$rows|$rows", 'and is there once');

# Batches of any size give the same.
foreach my $size (1, 7, 100000)
{
	$b->safe_psql('postgres', 'DELETE FROM t WHERE id > 300; UPDATE t SET v = NULL WHERE id < 50');
	is( run_script($b, $a, "SELECT created, error_count FROM sync_transfer(:c, 't', strategy => 'overwrite', batch_size => $size);"),
		($rows - 300) . '|0', "batch_size $size");
	is($b->safe_psql('postgres', q(SELECT sync_checksum('t'))), $a->safe_psql('postgres', q(SELECT sync_checksum('t'))), 'equal');
}

# Progress is shown while it goes on, to its owner and to monitors, and in NOTICEs if wanted.
$a->safe_psql('postgres', 'CREATE TABLE big AS SELECT i AS id, repeat($$x$$, 200) AS v FROM generate_series(1, 3000) i; ALTER TABLE big ADD PRIMARY KEY (id); ANALYZE big');
$b->safe_psql('postgres', q(CREATE TABLE big (id int PRIMARY KEY, v text); CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$; CREATE TRIGGER crawl BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION crawl()));
my $slow = background($b, "SET sync.report_progress = on;\n" . pull_script($a, q(SELECT created FROM sync_transfer(:c, 'big', batch_size => 500);)));
wait_for(sub { $b->safe_psql('postgres', 'SELECT count(*) FROM sync_progress() WHERE rows_done > 0') eq '1' }, 'progress is shown');
is( $b->safe_psql('postgres', q(SELECT peer, direction, table_name, phase, rows_total, rows_done <= rows_total, bytes > 0, rows_per_second > 0, transfer IS NOT NULL, client, started_at < now() FROM sync_progress())),
	sync_url($a) . '|receive|big|copying|3000|t|t|t|t|1|t', 'with all that is known');
is($b->safe_psql('postgres', 'SET ROLE clerk; SELECT count(*) FROM sync_progress()'), '0', 'not to everyone');
$b->safe_psql('postgres', 'GRANT pg_monitor TO clerk');
is($b->safe_psql('postgres', 'SET ROLE clerk; SELECT count(*) FROM sync_progress()'), '1', 'but to monitors');
finished($slow);
is($slow->{out} =~ s/\n//r, '3000', 'it ends');
like($slow->{err}, qr/NOTICE:  00000: big  \[[#-]{20}\]\s+\d+ %  \d+ rows, \d+ rows\/s/, 'NOTICEs show a bar');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
