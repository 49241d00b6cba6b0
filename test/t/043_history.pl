# What calls over a stored connection leave in the history of the side that pulls: one row for each
# table that has arrived, one for each call that has not, also where its transaction is gone.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver');
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u SELECT generate_series(1, 10);
CREATE TABLE checked (id int PRIMARY KEY);
INSERT INTO checked VALUES (1), (2);
SQL
$b->safe_psql('postgres', <<'SQL');
CREATE ROLE puller;
GRANT EXECUTE ON FUNCTION sync_connect, sync_transfer, sync_transfer_all, sync_pull TO puller;
GRANT CREATE ON SCHEMA public TO puller;
ALTER SYSTEM SET sync.allowed_peers = 'localhost';
SELECT pg_reload_conf();
SET ROLE puller;
CREATE TABLE checked (id int PRIMARY KEY CHECK (id <> 2));
CREATE TABLE late (id int REFERENCES checked DEFERRABLE INITIALLY DEFERRED);
SQL

# The sender offers the connection, and the receiver's administrator agrees.
my $at_b = sync_url($b) . '/postgres';
my $at_a = sync_url($a) . '/postgres';
$a->safe_psql('postgres', "SELECT FROM sync_create_connection('warehouse', 'sender', '$at_b', '{\"rate_limit_requests_per_minute\": 100000}')");
$b->safe_psql('postgres', q(SELECT FROM sync_approve_connection('From: warehouse'); SELECT sync_verify_connection('From: warehouse');
	SELECT FROM sync_update_connection('From: warehouse', '{"run_as": "puller", "name": "main"}')));

sub sql { return $b->safe_psql('postgres', $_[0]); }
my $connect = "SET ROLE puller;\nSELECT sync_connect('main') AS c \\gset\n";

# The rows that are new since the last call, once there are that many. What should not be there is
# seen by the next call, for the writer keeps the order.
my $seen = '{}';
sub news
{
	my ($count, $what) = @_;
	wait_for(sub { sql("SELECT count(*) FROM sync_transfers WHERE uuid <> ALL ('${seen}'::uuid[])") >= $count }, $what);
	my $rows = sql(qq(SELECT table_name, status, records_transferred, records_created, bytes_transferred > 0, conflict_strategy, error_message
		FROM sync_transfers WHERE uuid <> ALL ('${seen}'::uuid[]) ORDER BY completed_at, table_name));
	is(sql("SELECT count(*) FROM sync_transfers WHERE uuid <> ALL ('${seen}'::uuid[])"), $count, "$what: so many rows");
	$seen = sql('SELECT array_agg(uuid) FROM sync_transfers');
	return $rows;
}
my ($calls, $records) = (0, 0);
sub totals
{
	my ($more, $what) = @_;
	$calls++;
	$records += $more;
	wait_for(sub { sql('SELECT total_transfers FROM sync_connections') >= $calls }, $what);
	is( sql(q(SELECT total_transfers, total_records_transferred, last_transfer_at IS NOT NULL,
			total_bytes_transferred = (SELECT sum(bytes_transferred) FROM sync_transfers WHERE status = 'completed') FROM sync_connections)),
		"$calls|$records|t|t", "$what: the totals");
}

# ---- what has come to its end --------------------------------------------------------------------

sql("SET ROLE puller; SELECT sync_pull('main', tables => '{t,u}')");
is(news(2, 'sync_pull'), "t|completed|1000|1000|t|skip|\nu|completed|10|10|t|skip|", 'sync_pull: a row for each table');
is( sql('SELECT DISTINCT direction, connection, remote_site_url, initiated_by, started_at <= completed_at, job IS NULL FROM sync_transfer_list'),
	"receive|main|$at_a|puller|t|t", 'with what else is known');
totals(1010, 'sync_pull');

is( sql($connect . q(BEGIN;
	SELECT updated FROM sync_transfer_all(:c, tables => '{t,u}', strategy => 'merge', strategies => '{"public.t": "overwrite"}') WHERE table_name = 't';
	RESET ROLE;
	SELECT count(*) FROM sync_transfers WHERE connection_uuid IS NOT NULL;
	COMMIT;)), "0\n4", 'the rows are written in the transaction itself');
is(news(2, 'sync_transfer_all'), "t|completed|1000|0|t|overwrite|\nu|completed|10|0|t|merge|", 'sync_transfer_all: each with its strategy');
totals(1010, 'sync_transfer_all');

sql($connect . q(BEGIN; SAVEPOINT a; SAVEPOINT b; SELECT sync_transfer(:c, 'u', 'public.u'); RELEASE b;
	SAVEPOINT b; ROLLBACK TO b; RELEASE a; COMMIT));
is(news(1, 'subtransactions'), 'u|completed|10|0|t|skip|', 'released subtransactions');
totals(10, 'subtransactions');

# What others have counted meanwhile is no conflict for a transaction that has its snapshot.
my $count = 'psql -XAtq -d "' . $b->connstr('postgres') . '" -c "UPDATE sync_connections SET total_records_transferred = total_records_transferred"';
sql($connect . "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM u;\n\\! $count\nSELECT sync_transfer(:c, 'u');\nCOMMIT;\n");
is(news(1, 'repeatable read'), 'u|completed|10|0|t|skip|', 'REPEATABLE READ');
totals(10, 'repeatable read');

# ---- what has failed -----------------------------------------------------------------------------

fails_with($b, $connect . q(SELECT sync_transfer(:c, 'nix')), '42P01', qr/nix/, 'an unknown table');
like(news(1, 'an unknown table'), qr/^nix\|failed\|0\|0\|f\|skip\|[^|]*nix/, 'an unknown table');
fails_with($b, $connect . q(SELECT sync_transfer_all(:c, '{u,checked}')), '23514', undef, 'an error of a row');
like(news(1, 'an error of a row'), qr/^u, checked\|failed\|0\|0\|f\|skip\|.*checked_id_check.*\nDETAIL: /, 'an error of a row');

# Also where somebody has caught it.
sql($connect . q(SELECT set_config('my.c', :'c', false);
	DO $$ BEGIN PERFORM sync_transfer(current_setting('my.c')::int, 'nix'); EXCEPTION WHEN OTHERS THEN NULL; END $$));
like(news(1, 'a caught error'), qr/^nix\|failed\|/, 'a caught error');

fails_with($b, $connect . q(SET statement_timeout = '1s'; SELECT sync_transfer(:c, 't', strategy => 'overwrite', mode => 'full', max_rate => 1000)),
	'57014', qr/statement timeout/, 'a timeout');
is(news(1, 'a timeout'), 't|cancelled|0|0|f|overwrite|canceling statement due to statement timeout', 'a timeout');

my $run = background($b, $connect . "SELECT sync_transfer(:c, 't', strategy => 'overwrite', mode => 'full', max_rate => 1000);\n");
wait_for(sub { sql('SELECT count(*) FROM sync_progress()') eq '1' }, 'a transfer runs');
sql(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%max_rate%' AND pid <> pg_backend_pid()));
finished($run);
is(news(1, 'a terminated backend'), 't|failed|0|0|f|overwrite|transfer did not come to its end', 'a terminated backend');

# ---- what was rolled back ------------------------------------------------------------------------

my $undone = '|cancelled|0|0|t|skip|transaction was rolled back';
sql($connect . q(BEGIN; SELECT sync_transfer(:c, 't'); SELECT sync_transfer(:c, 'u'); ROLLBACK));
is(news(2, 'ROLLBACK'), "t$undone\nu$undone", 'ROLLBACK: a row for each call');
sql($connect . q(BEGIN; SAVEPOINT s; SELECT sync_transfer(:c, 't'); ROLLBACK TO s; SELECT sync_transfer(:c, 'u'); COMMIT));
is(news(2, 'ROLLBACK TO'), "t$undone\nu|completed|10|0|t|skip|", 'ROLLBACK TO SAVEPOINT undoes one of two');
totals(10, 'ROLLBACK TO');
sql($connect . q(BEGIN; SELECT sync_transfer(:c, 'u'); SAVEPOINT s; SELECT sync_transfer(:c, 't'); RELEASE s; ROLLBACK));
is(news(2, 'RELEASE'), "u$undone\nt$undone", 'a released subtransaction goes with the transaction');
fails_with($b, $connect . q(BEGIN; SELECT sync_transfer(:c, 'u'); INSERT INTO late VALUES (1); COMMIT), '23503', undef, 'a COMMIT that fails');
is(news(1, 'a COMMIT that fails'), "u$undone", 'a COMMIT that fails');

# ---- what is no matter of the history ------------------------------------------------------------

sql($connect . q(SELECT sync_transfer(:c, 't', dry_run => true)));
fails_with($b, $connect . q(BEGIN READ ONLY; SELECT sync_transfer(:c, 'u')), '25006', undef, 'a transaction that only reads');
fails_with($b, $connect . q(SELECT sync_transfer(:c, 't', strategy => 'nix')), '22023', undef, 'no strategy');
run_script($b, $a, q(SELECT sync_transfer(:c, 'u');));

# An administrator need not wait for who has transferred and does not commit.
$run = background($b, $connect . "BEGIN;\nSELECT sync_transfer(:c, 't');\nSELECT pg_sleep(150);\n");
wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(150)%' AND pid <> pg_backend_pid())) eq '1' }, 'a transaction is open');
is(sql(q(SET lock_timeout = '10s'; SELECT status FROM sync_suspend_connection('main'))), 'suspended', 'suspended meanwhile');
sql(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(150)%' AND pid <> pg_backend_pid()));
finished($run);
is(news(1, 'an open transaction'), "t$undone", 'of all that, this is in the history');
sql(q(SELECT FROM sync_reactivate_connection('main')));

# A peer that is not there.
$a->stop;
fails_with($b, q(SET ROLE puller; SELECT sync_pull('main')), '08001', undef, 'a lost peer');
like(news(1, 'a lost peer'), qr/^\*\|failed\|0\|0\|f\|skip\|[^\n]*(connect|reach)/, 'a lost peer');
is(sql('SELECT total_transfers, total_records_transferred FROM sync_connections'), "$calls|$records", 'none of it is in the totals');
ok(!log_contains($b, qr/sync could not (note|count)/), 'the queue had room');

$b->stop;
done_testing();
