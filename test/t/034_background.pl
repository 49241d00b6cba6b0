# What stands in the way of background work: times without end, locks, defaults of a database that
# are for its users, other encodings, rows that nobody can read, a standby.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $a = new_sync_node('sender', init => { allows_streaming => 1 }, conf => "max_prepared_transactions = 2\nsync.max_jobs = 1\n");
my $b = new_sync_node('receiver');
my $at_b = sync_url($b) . '/postgres';
$b->safe_psql('postgres', q(SELECT sync_set_incoming_mode('auto_accept'); CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)));

sub sql { return $a->safe_psql($_[1] || 'postgres', $_[0]); }

# The launcher sleeps until the end of time.
foreach my $time ('9999-12-31', 'infinity')
{
	sql(qq(DELETE FROM sync_connections; SET client_min_messages = error;
		SELECT sync_create_connection('far', 'sender', 'http://localhost:1', '{"expires_at": "$time"}');
		SELECT sync_approve_connection('far'); DELETE FROM sync_notices));
	usleep(1_500_000);
	my $launcher = sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync launcher'));
	my $ticks = sub { my @stat = split ' ', slurp_file("/proc/$launcher/stat"); $stat[13] + $stat[14] };
	my $before = $ticks->();
	usleep(2_000_000);
	cmp_ok($ticks->() - $before, '<', 20, "the launcher is idle: $time");
}

# A row that someone has locked holds up no job.
sql('DELETE FROM sync_connections');
my $site = peer_proxy($b);
add_receiver($a, 'good', $site->{url});
sql(q(SET client_min_messages = error; SELECT sync_create_connection('held', 'sender', 'http://localhost:1');
	UPDATE sync_connections SET status = 'active' WHERE name = 'held'));
sql(q(UPDATE sync_connections SET expires_at = now() - interval '1 s' WHERE name = 'held'));
my $holder = background($a, "BEGIN; SELECT FROM sync_connections WHERE name = 'held' FOR UPDATE; SELECT pg_sleep(600), 'holds';");
wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%holds%' AND wait_event = 'PgSleep')) eq '1' }, 'a lock');
my $job = sql(q(SELECT sync_transfer_async('good', tables => '{t}')));
wait_for(sub { sql("SELECT status FROM sync_transfers WHERE uuid = '$job'") eq 'completed' }, 'the job');
is(sql(q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%holds%' AND wait_event = 'PgSleep')), '1', 'the job has not waited for the lock');
is(sql('SELECT count(*) FROM t'), '1', 'and has brought the table');
sql(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%holds%' AND wait_event = 'PgSleep'));
eval { finished($holder) };
wait_for(sub { sql(q(SELECT status FROM sync_connections WHERE name = 'held')) eq 'expired' }, 'what was locked expires');
is(sql(q(SELECT status FROM sync_connections WHERE name = 'held')), 'expired', 'afterwards it expires');

# What cannot be written to the history's connection is tried again, less and less often, and in
# order. What a peer waits for is not held up by that.
{
	sql('CREATE ROLE lender; GRANT SELECT ON t TO lender');
	my $token = sql(q(SET client_min_messages = error; SELECT token FROM sync_create_connection('lent', 'sender', 'http://localhost:3', run_as => 'lender')));
	sql(q(SELECT sync_approve_connection('lent'); DELETE FROM sync_notices));
	my $gate = gate($b, 1);
	my $reader = background($b, "SELECT sync_connect('" . sync_url($a) . "/postgres', token => '$token') AS c \\gset\nSELECT pg_advisory_lock_shared(1);\nSELECT count(*) FROM sync_remote_fetch(:c, 't', 10);\nSELECT pg_sleep(4);\nSELECT count(*) FROM sync_remote_fetch(:c, 't', 20);\n");
	wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '1' }, 'a peer has connected');
	my $holder = background($a, "BEGIN; SELECT FROM sync_connections WHERE name = 'lent' FOR UPDATE; SELECT pg_sleep(600), 'holds';");
	my $holds = sub { sql(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%holds%' AND wait_event = 'PgSleep')) };
	wait_for(sub { $holds->() ne '' }, 'a lock');
	$a->append_conf('postgresql.conf', 'log_min_messages = debug1');
	$a->reload;
	my $offset = -s $a->logfile;
	open_gate($b, 1, $gate);
	like(finished($reader), qr/1\n.*1\n\z/s, 'the peer has its rows');
	usleep(11_000_000);
	my $starts = () = substr(slurp_file($a->logfile), $offset) =~ /starting background worker process "sync writer"/g;
	cmp_ok($starts, '>=', 2, "writers try again ($starts)");
	cmp_ok($starts, '<=', 7, 'but not every second');
	is(sql(q(SELECT count(*) FROM sync_transfers t JOIN sync_connections c ON c.uuid = t.connection_uuid WHERE name = 'lent')), '0', 'in vain');
	sql('SELECT pg_terminate_backend(' . $holds->() . ')');
	eval { finished($holder) };
	wait_for(sub { sql(q(SELECT string_agg(records_requested::text, ',' ORDER BY t.inserted_at, started_at) FROM sync_transfers t JOIN sync_connections c ON c.uuid = t.connection_uuid WHERE name = 'lent')) eq '10,20' }, 'then it is written');
	is(sql(q(SELECT string_agg(records_requested::text, ',' ORDER BY t.inserted_at, started_at) FROM sync_transfers t JOIN sync_connections c ON c.uuid = t.connection_uuid WHERE name = 'lent')), '10,20', 'in order');
	$a->append_conf('postgresql.conf', 'log_min_messages = warning');
	$a->reload;
}

# A job that cannot be read fails, and the next one runs.
my $bad = sql(q(INSERT INTO sync_transfers (direction, table_name, job, run_as, next_attempt_at) VALUES ('receive', 'x', '{}', current_user, now() - interval '1 h') RETURNING uuid));
$job = sql(q(SELECT sync_transfer_async('good', tables => '{t}')));
ok(wait_for(sub { sql("SELECT status FROM sync_transfers WHERE uuid = '$job'") eq 'completed' }, 'the job after it'), 'the job after it');
is(sql("SELECT status, error_message IS NOT NULL FROM sync_transfers WHERE uuid = '$bad'"), 'failed|t', 'one that cannot be read');

# Defaults of the database are for its users.
sql(q(DELETE FROM sync_connections; DELETE FROM sync_transfers; CREATE ROLE sharer; GRANT SELECT ON t TO sharer));
my $token = sql(q(SET client_min_messages = error; SELECT token FROM sync_create_connection('c', 'sender', 'http://localhost:2', run_as => 'sharer')));
sql(q(SELECT sync_approve_connection('c'); DELETE FROM sync_notices; ALTER DATABASE postgres SET default_transaction_read_only = on));
my $url = sync_url($a) . '/postgres';
is($b->safe_psql('postgres', "SELECT skipped + created FROM sync_pull('$url', token => '$token', tables => '{t}')"), '1', 'a read-only default keeps no peer out');
ok(wait_for(sub { sql(q(SELECT count(*) FROM sync_transfers WHERE status = 'completed')) eq '1' }, 'the history'), 'and nothing out of the history');
sql(q(SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only));

# A server that has just started waits until it knows of a database, before it refuses its peers.
sql(q(BEGIN; LOCK TABLE sync_settings; PREPARE TRANSACTION 'in the way'));
$a->restart;
wait_for(sub { (http_request($a->{sync_port}, "GET /sync/v1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") // '') =~ /\AHTTP\S+ 200/ }, 'it listens');
wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync probe' AND wait_event_type = 'Lock')) eq '1' }, 'it looks into the database');
my $early = background($b, "SELECT sync_connect('$url', token => '$token') AS c \\gset\nSELECT sync_remote_get_count(:c, 't');\n");
wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '1' || !$early->{run}->pumpable }, 'a peer is early');
sql(q(COMMIT PREPARED 'in the way'));
is(finished($early) . $early->{err}, "1\n", 'a peer that was early is served');

# Nobody would be told of what is prepared.
fails_with($a, "BEGIN; SELECT sync_disable(); PREPARE TRANSACTION 'x'", '0A000', qr/PREPARE/, 'disabled');
fails_with($a, "BEGIN; SELECT sync_update_connection('c', '{}'); PREPARE TRANSACTION 'x'", '0A000', qr/PREPARE/, 'a changed connection');

# Sites are told from databases of other encodings, and their answers are read.
sql(q(CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'));
sql('CREATE EXTENSION sync; SELECT sync_enable()', 'latin');
sql("SET client_min_messages = error; SELECT sync_create_connection('l', 'sender', '$at_b'); SELECT sync_suspend_connection('l')", 'latin');
ok(wait_for(sub { sql('SELECT count(*) FROM sync_notices', 'latin') eq '0' }, 'all is told'), 'told from a database in LATIN1');
is($b->safe_psql('postgres', 'SELECT status FROM sync_connections'), 'suspended', 'as what it is');

# A standby has the same connections, and does nothing with them.
$a->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($a, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'sync.port = ' . free_port());
$standby->start;
wait_for(sub { $standby->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher of a standby');
sql(q(UPDATE sync_connections SET expires_at = now() - interval '1 s'));
$a->wait_for_catchup($standby, 'replay', $a->lsn('insert'));
$standby->restart;
wait_for(sub { $standby->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher of a standby');
usleep(4_000_000);
ok(!log_contains($standby, qr/ERROR:.*(?:recovery|read-only)/), 'a standby does not try to');
$standby->stop;

no_leftovers($_, $_->name) foreach $a, $b;
done_testing();
