# Jobs: a transfer that a worker does, once the transaction that asked for it has committed.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use SyncPeers;
use Test::More;
use Time::HiRes qw(time);

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver', conf => "sync.max_jobs = 3\nsync.lock_timeout = 5min\n");
$a->safe_psql('postgres', q(
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u SELECT generate_series(1, 10);
));
my $site = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
my $slow = q(tables => '{t}', max_rate => 500);

sub sql { return $b->safe_psql($_[1] || 'postgres', $_[0]); }
sub status { return sql("SELECT status FROM sync_transfers WHERE uuid = '$_[0]'"); }
sub wait_status
{
	my ($uuid, $status, $name) = @_;
	wait_for(sub { status($uuid) eq $status }, "$name: $status");
	is(status($uuid), $status, $name);
}

# It starts after COMMIT, never after ROLLBACK, not even of a subtransaction.
my $uuid = sql("SELECT sync_transfer_async('main', tables => '{t,u}')");
wait_status($uuid, 'completed', 'a job');
is(sql('SELECT count(*), (SELECT count(*) FROM u) FROM t'), '1000|10', 'it has brought the tables');
is( sql("SELECT direction, table_name, records_transferred, records_created, records_failed, bytes_transferred > 0,
		attempts, started_at <= completed_at, initiated_by = current_user, worker_pid IS NULL, error_message IS NULL,
		metadata->'tables' @> '[{\"table\": \"u\", \"created\": 10}]' FROM sync_transfers"),
	'receive|t, u|1010|1010|0|t|1|t|t|t|t|t', 'its row tells what it did');
wait_for(sub { sql('SELECT total_transfers FROM sync_connections') eq '1' }, 'the totals are counted');
is(sql('SELECT total_records_transferred, total_bytes_transferred > 0, last_transfer_at IS NOT NULL FROM sync_connections'),
	'1010|t|t', 'the totals of the connection');

my $held = background($b, "BEGIN;\nSELECT sync_transfer_async('main', tables => '{t}', strategy => 'overwrite');\nSELECT pg_sleep(2);\nROLLBACK;\n");
$b->safe_psql('postgres', q(
BEGIN;
SAVEPOINT s;
SELECT sync_transfer_async('main', tables => '{u}', strategy => 'merge');
ROLLBACK TO s;
COMMIT;
));
finished($held);
is(sql('SELECT count(*) FROM sync_transfers'), '1', 'what was rolled back is no job');
soon_is($b, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker'), '0', 'and has no worker');

my $gate = gate($b, 1);
$held = background($b, "BEGIN;\nSELECT sync_transfer_async('main', tables => '{t}', strategy => 'overwrite');\nSELECT pg_advisory_lock_shared(1);\nCOMMIT;\n");
at_gate($b, 1, 'a transaction has asked for a job');
is(sql('SELECT count(*) FROM sync_transfers'), '1', 'before COMMIT there is none');
open_gate($b, 1, $gate);
($uuid) = finished($held) =~ /([0-9a-f-]{36})/;
wait_status($uuid, 'completed', 'after COMMIT');

# A pending job of the same connection, tables and options, of the same role, is the job.
is( sql(q(
BEGIN;
SELECT count(DISTINCT u) FROM (SELECT sync_transfer_async('main', tables => '{t}', strategy => 'merge') AS u FROM generate_series(1, 5)) s;
SELECT count(DISTINCT u) FROM (SELECT sync_transfer_async('main', tables => '{t}', strategy => x) AS u FROM unnest('{merge,skip}'::text[]) x) s;
SELECT sync_transfer_async('main', tables => '{t}', strategy => 'merge') = sync_transfer_async('main', tables => '{u}', strategy => 'merge');
SELECT count(*) FROM sync_transfers WHERE status = 'pending';
ROLLBACK;)), "1\n2\nf\n3", 'a pending job is returned instead of a second one');
isnt(sql("SELECT sync_transfer_async('main', tables => '{u}')"), sql("SELECT sync_transfer_async('main', tables => '{u}', exclude => '{x}')"),
	'other arguments are another job');
isnt(sql("SELECT sync_transfer_async('main', tables => '{u}')"), sql("SELECT sync_transfer_async('main', tables => '{u}', parents => true)"),
	'and so is one with parents');

# Of a transaction that is open nobody knows what it will have asked for, and nobody waits for that.
{
	my $ask = "SELECT sync_transfer_async('main', tables => '{u}', strategy => 'overwrite')";
	my $shut = gate($b, 2);
	my $open = background($b, "BEGIN;\n$ask;\nSELECT pg_advisory_lock_shared(2);\nCOMMIT;\n");
	at_gate($b, 2, 'a transaction is open');
	my $second = sql("SET statement_timeout = '1min'; $ask");
	open_gate($b, 2, $shut);
	my ($first) = finished($open) =~ /([0-9a-f-]{36})/;
	isnt($second, $first, 'two transactions that are open have a job each');
	wait_status($_, 'completed', 'one of two') for ($first, $second);
}

# What is wrong is said at once.
fails_with($b, "SELECT sync_transfer_async('nobody')", 'P0002', qr/not_found/, 'an unknown connection');
fails_with($b, "SELECT sync_transfer_async('main', strategy => 'x')", '22023', undef, 'an unknown strategy');
fails_with($b, "SELECT sync_transfer_async('main', verify => true)", '22023', undef, 'options that do not go together');
fails_with($b, "SELECT sync_transfer_async('main', tables => '{a.b.c}')", '22023', undef, 'no name of a table');
fails_with($b, "SELECT sync_transfer_async('main', tables => '{NULL}')", '22004', undef, 'a null among the tables');
fails_with($b, 'SELECT sync_transfer_async(NULL)', '22004', undef, 'no connection');
fails_with($b, "BEGIN READ ONLY; SELECT sync_transfer_async('main')", '25006', undef, 'a transaction that only reads');
sql(q(INSERT INTO sync_connections (name, direction, site_url, run_as, status) VALUES ('out', 'sender', 'http://localhost:1', 'postgres', 'active')));
fails_with($b, "SELECT sync_transfer_async('out')", '22023', qr/not a receiver connection/, 'a sender connection');
sql(q(CREATE ROLE nobody));
fails_with($b, "SET ROLE nobody; SELECT sync_transfer_async('main')", '42501', undef, 'a role without the right to call it');

# It is shown while it runs, with its uuid, and can be cancelled within a second.
sql('TRUNCATE t');
$uuid = sql("SELECT sync_transfer_async('main', $slow, strategy => 'overwrite')");
wait_for(sub { sql("SELECT count(*) FROM sync_progress() WHERE transfer = '$uuid'") eq '1' }, 'the job runs');
is(sql("SELECT p.pid = t.worker_pid AND t.status = 'in_progress' AND t.worker_start IS NOT NULL AND t.attempts = 1 FROM sync_progress() p JOIN sync_transfers t ON t.uuid = p.transfer"),
	't', 'its row tells which worker runs it');
$gate = gate($b, 1);
my $listener = background($b, "LISTEN sync_transfer;\nSELECT pg_advisory_lock_shared(1);\n");
at_gate($b, 1, 'somebody listens');
my $began = time;
sql("SELECT sync_cancel_transfer('$uuid')");
wait_for(sub { status($uuid) eq 'cancelled' }, 'the job is cancelled');
cmp_ok(time - $began, '<', 30, 'soon');
is(sql("SELECT count(*) FROM t"), '0', 'nothing of it remains');
is(sql("SELECT completed_at IS NOT NULL, worker_pid IS NULL, error_message FROM sync_transfers WHERE uuid = '$uuid'"), 't|t|cancelled on request', 'and it says so');
open_gate($b, 1, $gate);
like(finished($listener), qr/Asynchronous notification "sync_transfer" with payload "$uuid cancelled"/, 'the end is notified');
fails_with($b, "SELECT sync_cancel_transfer('$uuid')", '55000', qr/ended already/, 'a job that has ended');
fails_with($b, "SELECT sync_cancel_transfer('00000000-0000-0000-0000-000000000000')", 'P0002', qr/not_found/, 'no job');

# A pending one is cancelled at COMMIT.
is( sql(q(
BEGIN;
SELECT sync_transfer_async('main', tables => '{u}', strategy => 'merge') AS u \gset
SELECT sync_cancel_transfer(:'u') \g /dev/null
COMMIT;
SELECT status FROM sync_transfers WHERE uuid = :'u';)), 'cancelled', 'a job that was cancelled before it began');

# Each role cancels its own.
sql(q(CREATE ROLE worker LOGIN; CREATE ROLE other LOGIN; GRANT CREATE ON SCHEMA public TO worker;
GRANT EXECUTE ON FUNCTION sync_cancel_transfer TO other, worker;
GRANT EXECUTE ON FUNCTION sync_transfer_async TO worker;));
$b->append_conf('postgresql.conf', "sync.allowed_peers = '*'\n");
$b->reload;
soon_is($b, 'SHOW sync.allowed_peers', '*', 'the setting is read');
fails_with($b, "SET ROLE worker; SELECT sync_transfer_async('main')", '42501', qr/permission denied for connection "main"/, 'a connection of another role');
sql(q(UPDATE sync_connections SET run_as = 'worker' WHERE name = 'main'));
$uuid = sql(q(SET ROLE worker; BEGIN; SELECT sync_transfer_async('main', tables => '{u}', strategy => 'overwrite', batch_size => 7)));
sql('TRUNCATE t; ALTER TABLE t OWNER TO worker');
$uuid = sql("SET ROLE worker; SELECT sync_transfer_async('main', $slow, strategy => 'merge')");
fails_with($b, "SET ROLE other; SELECT sync_cancel_transfer('$uuid')", 'P0002', qr/not_found/, "another role's job");
wait_for(sub { status($uuid) eq 'in_progress' }, 'it runs');
sql("SET ROLE worker; SELECT sync_cancel_transfer('$uuid')");
wait_status($uuid, 'cancelled', 'one\'s own');

# It acts as the role that asked for it, whatever its triggers try.
sql(q(DROP TABLE u; CREATE TABLE u (id int PRIMARY KEY); ALTER TABLE u OWNER TO worker;
CREATE TABLE seen (who text, why text); GRANT INSERT ON seen TO worker;));
sql(q(SET ROLE worker;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
	BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN INSERT INTO public.seen VALUES (current_user, SQLSTATE); END;
	BEGIN RESET SESSION AUTHORIZATION; EXCEPTION WHEN OTHERS THEN INSERT INTO public.seen VALUES (current_user, SQLSTATE); END;
	INSERT INTO public.seen VALUES (current_user, ''); RETURN NEW; END $f$;
CREATE TRIGGER note BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();));
$uuid = sql("SET ROLE worker; SELECT sync_transfer_async('main', tables => '{u}', strategy => 'merge')");
wait_status($uuid, 'completed', 'a job of a role with triggers');
is(sql('SELECT who, count(*) FROM seen GROUP BY who'), 'worker|60', 'they run as the role, at COMMIT too');
is(sql('SELECT relowner::regrole FROM pg_class WHERE oid = \'u\'::regclass'), 'worker', 'the owner of its table');
$uuid = sql("SET ROLE worker; SELECT sync_transfer_async('main', tables => '{t}', strategy => 'merge')");
wait_status($uuid, 'completed', 'another job of it');
sql('ALTER TABLE t OWNER TO postgres');
$uuid = sql("SET ROLE worker; SELECT sync_transfer_async('main', tables => '{t}', strategy => 'overwrite')");
wait_status($uuid, 'failed', 'a job that may not write');
like(sql("SELECT error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/permission denied for table t/, 'tells why');
is(sql("SELECT attempts FROM sync_transfers WHERE uuid = '$uuid'"), '1', 'and is not tried again');

# An error at COMMIT of the job is the job's, too.
sql(q(CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'not now'; END $f$;
TRUNCATE t;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();));
$uuid = sql("SELECT sync_transfer_async('main', tables => '{t}', max_rate => 100000000)");
wait_status($uuid, 'failed', 'a job that fails at COMMIT');
like(sql("SELECT error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/not now/, 'tells why');
sql('DROP TRIGGER refuse ON t');

# A role that was dropped: its job fails, others go on.
sql('CREATE ROLE gone LOGIN; GRANT worker TO gone; GRANT EXECUTE ON FUNCTION sync_transfer_async TO gone');
sql('SELECT sync_disable()');
$uuid = sql("SET ROLE gone; SELECT sync_transfer_async('main', tables => '{u}')");
my $next = sql("SELECT sync_transfer_async('main', tables => '{u}', mode => 'full')");
sql('DROP OWNED BY gone; DROP ROLE gone');
is(status($uuid) . status($next), 'pendingpending', 'a module that is disabled does nothing');
sql('SELECT sync_enable()');
wait_status($uuid, 'failed', 'the job of a role that was dropped');
like(sql("SELECT error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/role "gone" does not exist/, 'tells why');
wait_status($next, 'completed', 'the next one');

# No two at once over one connection; two over two.
add_receiver($b, 'second', peer_proxy($a)->{url});
sql('TRUNCATE t');
$gate = gate($b, 3);
my $locker = background($b, "BEGIN;\nLOCK TABLE t IN SHARE MODE;\nSELECT pg_advisory_lock_shared(3);\nCOMMIT;\n");
at_gate($b, 3, 'the table is locked');
my @jobs = map { sql("SELECT sync_transfer_async('$_->[0]', tables => '{t}', strategy => 'merge', max_rate => $_->[1])") }
	(['main', 1000000], ['main', 1000001], ['second', 1000002]);
wait_for(sub { status($jobs[0]) eq 'in_progress' && status($jobs[2]) eq 'in_progress' }, 'jobs of two connections run');
is(status($jobs[0]) . status($jobs[2]), 'in_progressin_progress', 'at the same time');
is(status($jobs[1]), 'pending', 'the second one of a connection waits');
open_gate($b, 3, $gate);
finished($locker);
wait_status($_, 'completed', 'it ends') foreach @jobs;
is(sql(qq(SELECT count(*) FROM sync_transfers x JOIN sync_transfers y ON x.connection_uuid = y.connection_uuid AND x.uuid < y.uuid
	AND x.job IS NOT NULL AND y.job IS NOT NULL AND tstzrange(x.started_at, x.completed_at) && tstzrange(y.started_at, y.completed_at)
	WHERE x.status = 'completed' AND y.status = 'completed')), '0', 'no two of one connection have run at once');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
