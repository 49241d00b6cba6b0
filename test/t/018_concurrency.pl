# Others write, lock, change definitions or pull the same tables at the same time: no row is lost or doubled, nothing hangs.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $conf = "sync.max_sessions = 1000\nsync.lock_timeout = '2s'\nsync.max_connections = 8\ndeadlock_timeout = '200ms'\n";
my $a = new_sync_node('sender', conf => $conf);
my $b = new_sync_node('receiver', conf => $conf);
sub on_a { return $a->safe_psql('postgres', $_[0]); }
sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub equal
{
	my ($table, $what) = @_;
	return is(on_b("SELECT sync_checksum('$table')"), on_a("SELECT sync_checksum('$table')"), "$what: equal");
}
sub waits { my ($node, $what, $pattern) = @_; return wait_for(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '$pattern'") ne '0' }, $what); }

# ---- two transfers of one table at once ----------------------------------------------------------

on_a(q(CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 8000) i; ANALYZE t));
my %outcome = (skip => 'id', overwrite => 'id', merge => 'id', append => 'twice');
foreach my $strategy (sort keys %outcome)
{
	foreach my $way ("mode => 'online', batch_size => 500", "mode => 'auto'")
	{
		on_b(q(DROP TABLE IF EXISTS t; CREATE TABLE t (id serial PRIMARY KEY, v text)) . ($strategy eq 'append' ? '' : "; INSERT INTO t SELECT i, 'old' FROM generate_series(1, 3000) i"));
		my @both = map { background($b, pull_script($a, "SELECT created + updated + skipped, error_count FROM sync_transfer(:c, 't', strategy => '$strategy', $way);")) } 1 .. 2;
		finished($_) foreach @both;
		is($_->{err}, '', "$strategy twice at once, $way: no error") foreach @both;
		is($_->{out} =~ s/\n//r, '8000|0', 'all rows are accounted for') foreach @both;
		my $rows = $strategy eq 'append' ? 16000 : 8000;
		is(on_b('SELECT count(*), count(DISTINCT id) FROM t'), "$rows|$rows", 'and are there as often as they should');
		equal('t', $strategy) if $strategy =~ /over|merge/;
	}
}
# Of a table that neither has: one creates it, the other takes it as it is or says what has happened.
{
	my @both = map { background($b, "BEGIN;\n" . pull_script($a, "SELECT created FROM sync_transfer(:c, 't', 'made', strategy => 'overwrite');\nCOMMIT;")) } 1 .. 2;
	finished($_) foreach @both;
	is(on_b('SELECT count(*) FROM made'), '8000', 'a table that both create');
	my @failed = grep { $_->{err} } @both;
	cmp_ok(scalar @failed, '<=', 1, 'at most one gives up');
	like($failed[0]{err}, qr/ERROR:  42P07: table "made" was created meanwhile.*HINT:  Run the statement again/s, 'and says why') if @failed;
}

# ---- writers on both sides -----------------------------------------------------------------------

on_b(q(DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text)));
my $writer = q(DO $$ BEGIN FOR i IN 1..150 LOOP
	INSERT INTO t VALUES (8000 + i * 7 % 400, 'w' || i) ON CONFLICT (id) DO UPDATE SET v = excluded.v || '!'; UPDATE t SET v = v || '.' WHERE id = i * 31 % 8000; DELETE FROM t WHERE id = i * 53 % 8000; COMMIT; END LOOP; END $$);
my @writers = (background($a, $writer), background($b, $writer));
my $pull = background($b, join('', map { pull_script($a, "SELECT error_count FROM sync_transfer(:c, 't', strategy => 'overwrite', mode => 'online', batch_size => $_);") } 100, 400, 3000));
finished($_) foreach @writers, $pull;
is($_->{err}, '', 'no error') foreach @writers, $pull;
is(on_b('SELECT count(*) = count(DISTINCT id) FROM t'), 't', 'no row is doubled');
is(run_script($b, $a, q(SELECT count(*) = (SELECT count(*) FROM t WHERE id IN (SELECT (r->>'id')::int FROM sync_remote_fetch(:c, 't', 10000) r)) FROM sync_transfer(:c, 't', strategy => 'overwrite') x, sync_remote_fetch(:c, 't', 10000);)), 't', 'and none is missing');

# A row that comes up between looking and writing: waited for, read again, and treated as one that exists.
foreach my $case ([ 'COMMIT', 'overwrite', 'v5', 'the row that came up is overwritten' ], [ 'COMMIT', 'skip', 'theirs', 'or kept' ], [ 'ROLLBACK', 'skip', 'v5', 'or inserted if it goes away again' ])
{
	foreach my $table ('t (id int PRIMARY KEY, v text)', 't (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100); CREATE TABLE t_high PARTITION OF t DEFAULT')
	{
		my ($end, $strategy, $value, $name) = @$case;
		on_b("DROP TABLE t; CREATE TABLE $table");
		my $gate = gate($b, 1);
		my $app = background($b, "BEGIN;\nINSERT INTO t VALUES (5, 'theirs');\nSELECT pg_advisory_lock(1);\n$end;\n");
		at_gate($b, 1, 'the application has inserted');
		my $transfer = background($b, pull_script($a, "SELECT created + updated + skipped, error_count FROM sync_transfer(:c, 't', strategy => '$strategy', mode => 'online');"));
		waits($b, 'the transfer waits for it', 'sync_transfer');
		open_gate($b, 1, $gate);
		finished($_) foreach $app, $transfer;
		is($transfer->{err} . $transfer->{out}, on_a('SELECT count(*) FROM t') . "|0\n", "$name: no error");
		is(on_b('SELECT v FROM t WHERE id = 5'), $value, $name);
		# In a snapshot that does not see it, there is no way on.
		next if $end eq 'ROLLBACK';
		on_b("DELETE FROM t WHERE id = 5");
		fails_with($b, "BEGIN ISOLATION LEVEL $_;\nSELECT count(*) FROM t;\n\\! psql -XAtq -d '@{[$b->connstr('postgres')]}' -c \"INSERT INTO t VALUES (5, 'theirs')\"\n" . pull_script($a, "SELECT sync_transfer(:c, 't', strategy => '$strategy');"), '40001', qr/concurrent changes.*HINT:  Run the statement again in a new transaction/s, "$_, a row came up") foreach 'REPEATABLE READ';
		is(on_b('SELECT string_agg(v, $$,$$) FROM t WHERE id = 5'), 'theirs', 'it is as the other one left it');
	}
}
on_b(q(DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (7, 'old')));
foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	fails_with($b, "BEGIN ISOLATION LEVEL $level;\nSELECT count(*) FROM t;\n\\! psql -XAtq -d '@{[$b->connstr('postgres')]}' -c \"UPDATE t SET v = v || 'er' WHERE id = 7\"\n" . pull_script($a, q(SELECT sync_transfer(:c, 't', strategy => 'overwrite', max_errors => NULL);)), '40001', qr/could not serialize access/, "$level, a row was changed: not to be taken for a row's error");
	is(run_script($b, $a, "BEGIN ISOLATION LEVEL $level;\nSELECT updated FROM sync_transfer(:c, 't', strategy => 'overwrite');\nROLLBACK;"), '1', "$level: else it goes on");
}

# ---- locks and deadlocks -------------------------------------------------------------------------

on_b(q(DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' FROM generate_series(1, 10) i));
{
	# The application has row 10 and wants row 1, the transfer has row 1 and comes to row 10.
	my $gate = gate($b, 2);
	my $app = background($b, "SET deadlock_timeout = '30s';\nBEGIN;\nUPDATE t SET v = 'app' WHERE id = 10;\nSELECT pg_advisory_lock(2);\nUPDATE t SET v = 'app' WHERE id = 1;\nCOMMIT;\n");
	at_gate($b, 2, 'the application has its row');
	my $transfer = background($b, pull_script($a, q(SET deadlock_timeout = '3s'; SELECT sync_transfer(:c, 't', strategy => 'overwrite', max_errors => NULL);)));
	waits($b, 'the transfer waits', 'sync_transfer');
	open_gate($b, 2, $gate);
	finished($_) foreach $app, $transfer;
	like($transfer->{err}, qr/ERROR:  40P01: deadlock detected/, 'a deadlock is what it is called');
	is($app->{err}, '', 'the application goes on');
	is(on_b('SELECT count(*), string_agg(v, $$,$$ ORDER BY id) FILTER (WHERE id IN (1, 2, 10)) FROM t'), '10|app,old,app', 'nothing of the transfer is left');
}
{
	my $locker = background($b, "BEGIN;\nLOCK TABLE t IN SHARE MODE;\nSELECT pg_sleep(60);\n");
	wait_for(sub { on_b(q(SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'ShareLock' AND granted)) eq '1' }, 'the table is locked');
	fails_with($b, "SET lock_timeout = '300ms';\n" . pull_script($a, q(SELECT sync_transfer(:c, 't', strategy => 'overwrite', max_errors => NULL);)), '55P03', qr/lock timeout/, "the caller's lock_timeout");
	on_b(q(SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 't'::regclass AND mode = 'ShareLock'));
	finished($locker);
}

# ---- definitions that change ---------------------------------------------------------------------

# There, between the connection and the rows. What is still as the snapshot has it goes over; else it is said.
my @there = (
	[ 'ALTER TABLE d ADD extra int DEFAULT 5', undef ], [ 'ALTER TABLE d ADD checked int, ADD CHECK (id > 0)', undef ], [ 'CREATE INDEX ON d (v)', undef ], [ 'INSERT INTO d VALUES (999)', undef ], [ 'DELETE FROM d', undef ], [ 'ALTER TABLE d ALTER v SET DEFAULT 7', undef ], [ 'CREATE TABLE d_new (id int)', undef ],
	[ 'ALTER TABLE d DROP v', '55000', qr/definition of table "d" was changed/ ], [ 'ALTER TABLE d RENAME v TO vv', '55000', qr/was changed/ ], [ 'ALTER TABLE d ALTER s TYPE text', '55000', qr/was changed/ ], [ 'ALTER TABLE d ALTER v TYPE bigint', '55000', undef ],
	[ 'ALTER TABLE d RENAME v TO x; ALTER TABLE d RENAME s TO v; ALTER TABLE d RENAME x TO s', '55000', qr/was changed/ ], [ 'ALTER TABLE d RENAME TO d_old; ALTER TABLE d2 RENAME TO d', '55000', qr/was changed/ ], [ 'TRUNCATE d', '55000', qr/truncated/ ], [ 'DROP TABLE d', '42P01', undef ], [ 'REVOKE ALL ON d FROM reader', '42501', undef ]);
on_a('CREATE ROLE reader; CREATE SCHEMA other; GRANT ALL ON SCHEMA other TO reader; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO reader');
foreach my $case (@there)
{
	my ($ddl, $sqlstate, $text) = @$case;
	on_a(q(DROP TABLE IF EXISTS d, d2, d_old, d_new, other.d; CREATE TABLE d (id int PRIMARY KEY, v int, s varchar(10)); INSERT INTO d SELECT i, i, 's' FROM generate_series(1, 50) i; CREATE TABLE d2 (id int PRIMARY KEY, v int, s varchar(10)); GRANT SELECT ON d, d2 TO reader));
	on_b('DROP TABLE IF EXISTS d; CREATE TABLE d (id int PRIMARY KEY, v int, s varchar(10))');
	my $do = "SELECT sync_remote_get_count(:c, 't_other') \\g /dev/null\n\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c '$ddl'\n";
	on_a('CREATE TABLE IF NOT EXISTS t_other (id int); GRANT SELECT ON t_other TO reader');
	foreach my $sql (q(SELECT created FROM sync_transfer(:c, 'd');), q(SELECT count(*) FROM sync_remote_fetch(:c, 'd');))
	{
		if ($sqlstate) { fails_with($b, pull_script($a, $do . $sql, role => 'reader'), $sqlstate, $text, "there: $ddl"); }
		else { is(run_script($b, $a, $do . $sql, role => 'reader'), 50, "there: $ddl"); }
		last unless $sqlstate || $sql =~ /transfer/;
		on_a(q(DROP TABLE IF EXISTS d, d2, d_old, d_new, other.d; CREATE TABLE d (id int PRIMARY KEY, v int, s varchar(10)); INSERT INTO d SELECT i, i, 's' FROM generate_series(1, 50) i; CREATE TABLE d2 (id int PRIMARY KEY, v int, s varchar(10)); GRANT SELECT ON d, d2 TO reader));
	}
}

# In mid-stream, there and here: it has to wait, or gives up by its own lock_timeout; the transfer sees nothing of it.
on_a(q(CREATE TABLE first (id int PRIMARY KEY, v text); INSERT INTO first SELECT i, 'x' FROM generate_series(1, 200) i; CREATE TABLE second (id int PRIMARY KEY, v int); INSERT INTO second SELECT i, i FROM generate_series(1, 9000) i));
my $slow = q(CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 100 THEN PERFORM pg_advisory_lock(3); END IF; RETURN NEW; END $$; CREATE TRIGGER crawl BEFORE INSERT ON first FOR EACH ROW EXECUTE FUNCTION crawl(););
on_b("CREATE TABLE first (id int PRIMARY KEY, v text); CREATE TABLE second (id int PRIMARY KEY, v int); $slow");
{
	my $gate = gate($b, 3);
	my $transfer = background($b, pull_script($a, q(SELECT table_name, created FROM sync_transfer_all(:c, '{first, second}');)));
	at_gate($b, 3, 'the transfer is in its first table');
	foreach my $ddl ('ALTER TABLE %s ADD z int', 'ALTER TABLE %s ALTER v TYPE bigint USING 0', 'ALTER TABLE %s DROP v', 'ALTER TABLE %s RENAME v TO w', 'ALTER TABLE %s RENAME TO gone', 'TRUNCATE %s', 'DROP TABLE %s')
	{
		foreach my $table ('first', 'second')
		{
			my $sql = "SET lock_timeout = '50ms'; " . sprintf($ddl, $table);
			fails_with($b, $sql, '55P03', undef, "here: $sql");
			fails_with($a, $sql, '55P03', undef, "there: $sql");
		}
	}
	open_gate($b, 3, $gate);
	finished($transfer);
	is($transfer->{err} . $transfer->{out}, "first|200\nsecond|9000\n", 'the transfer arrives');
	equal($_, $_) foreach 'first', 'second';
}

# ---- databases that pull from each other, and from themselves ------------------------------------

$_->safe_psql('postgres', q(CREATE TABLE mutual (id int PRIMARY KEY, v text); CREATE TABLE empty_a (id int PRIMARY KEY); CREATE TABLE empty_b (id int PRIMARY KEY))) foreach $a, $b;
on_a(q(INSERT INTO mutual SELECT i, 'a' FROM generate_series(1, 6000) i; INSERT INTO empty_b SELECT generate_series(1, 6000)));
on_b(q(INSERT INTO mutual SELECT i, 'b' FROM generate_series(3001, 9000) i; INSERT INTO empty_a SELECT generate_series(1, 6000)));
foreach my $strategy ('skip', 'overwrite')
{
	my @both = (background($b, pull_script($a, "SELECT error_count FROM sync_transfer(:c, 'mutual', strategy => '$strategy');")), background($a, pull_script($b, "SELECT error_count FROM sync_transfer(:c, 'mutual', strategy => '$strategy');")));
	finished($_) foreach @both;
	is($_->{err} . $_->{out}, "0\n", "from each other, $strategy") foreach @both;
	is($_->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM mutual'), '9000|9000', 'all rows are on both sides') foreach $a, $b;
}
# Each has read the table that the other is about to load in bulk, and holds its index: neither waits for ever.
{
	my @gates = (gate($a, 4), gate($b, 4));
	my $script = "SELECT sync_remote_get_count(:c, '%s') \\g /dev/null\nSELECT pg_advisory_lock(4);\nSET client_min_messages = debug1;\nSELECT created, error_count FROM sync_transfer(:c, '%s', strategy => 'overwrite');";
	my @both = (background($b, pull_script($a, sprintf($script, 'empty_a', 'empty_b'))), background($a, pull_script($b, sprintf($script, 'empty_b', 'empty_a'))));
	at_gate($_, 4, 'both have read') foreach $a, $b;
	open_gate($a, 4, $gates[0]);
	open_gate($b, 4, $gates[1]);
	finished($_) foreach @both;
	is($_->{out}, "\n6000|0\n", 'in bulk, from each other') foreach @both;
	like($both[0]{err} . $both[1]{err}, qr/not loaded in bulk: an index is in use/, 'who waits for too long takes the other way');
}
on_a('CREATE TABLE copy (id int PRIMARY KEY, v text)');
is(run_script($a, $a, q(SELECT sync_remote_get_count(:c, 'copy'); SELECT created, error_count FROM sync_transfer(:c, 'mutual', 'copy'); SELECT updated, skipped FROM sync_transfer(:c, 'mutual', strategy => 'overwrite'); SELECT sync_remote_get_count(:c, 'mutual');)),
	"0\n9000|0\n0|9000\n9000", 'from itself, to another table and to the same');
is(on_a(q(SELECT sync_checksum('copy') = sync_checksum('mutual'))), 't', 'equal');
on_a('CREATE TABLE doubled (v int); INSERT INTO doubled SELECT generate_series(1, 6000)');
is(run_script($a, $a, q(SELECT created FROM sync_transfer(:c, 'doubled', strategy => 'append');)), '6000', 'a table that is appended to itself ends where it was');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
