# The life of a session: from COMMIT on, until its backend ends, its time is over, or it is ended.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $a = new_sync_node('sender', conf => <<'CONF', init => { allows_streaming => 1 });
sync.reconnect_grace = 1
sync.max_connections = 10
CONF
my $b = new_sync_node('receiver');
my $url = sync_url($a);
$a->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)');
$a->safe_psql('postgres', 'CREATE TABLE slow (id int); INSERT INTO slow VALUES (1), (2)');
$a->safe_psql('postgres', q(CREATE VIEW sleeping AS SELECT id, pg_sleep(100)::text AS z FROM slow));

sub codes { return $a->safe_psql('postgres', 'SELECT count(*) FROM sync_sessions()'); }

# A session without ttl goes with its backend, however that ends.
my $owner = background($a, "SET client_min_messages = error;\nSELECT code FROM sync_create_session('send');\nSELECT pg_sleep(100);\n");
wait_for(sub { codes() eq '1' }, 'the session is there');
my $code = $a->safe_psql('postgres', 'SELECT code FROM sync_sessions()');
$a->safe_psql('postgres', 'SELECT pg_terminate_backend(owner_pid) FROM sync_sessions()');
finished($owner);
wait_for(sub { codes() eq '0' }, 'the session is gone with its backend');
fails_with($b, "SELECT sync_connect('$url', '$code')", '28000', qr/invalid_code/, 'a session whose owner is gone');

# It cannot be used before COMMIT.
my $gate = gate($a, 1);
$owner = background($a, "SET client_min_messages = error;\nBEGIN;\nSELECT code FROM sync_create_session('send', ttl => '10 min');\nSELECT pg_advisory_lock(1);\nCOMMIT;\n");
wait_for(sub { codes() eq '1' }, 'the session is there');
$code = $a->safe_psql('postgres', 'SELECT code FROM sync_sessions()');
fails_with($b, "SELECT sync_connect('$url', '$code')", '28000', qr/invalid_code/, 'a session that is not committed');
open_gate($a, 1, $gate);
finished($owner);
is($b->safe_psql('postgres', "SELECT sync_connect('$url', '$code') > 0"), 't', 'after COMMIT');

# With a ttl it outlives its backend, and then its time is over.
$code = new_code($a, ttl => '5 s');
is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', 'a session with ttl outlives its backend');
wait_for(sub { $a->safe_psql('postgres', "SELECT count(*) FROM sync_sessions() WHERE code = '$code'") eq '0' }, 'its time is over');
fails_with($b, "SELECT sync_connect('$url', '$code')", '28000', qr/invalid_code/, 'a session whose time is over');

# Tied to another backend.
my $other = background($a, "SELECT pg_sleep(100);\n");
wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(100)%')) eq '1' }, 'another backend');
my $pid = $a->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(100)%'));
$code = $a->safe_psql('postgres', qq(SET client_min_messages = error; SELECT code FROM sync_create_session('send', options => '{"owner_pid": $pid}')));
is($a->safe_psql('postgres', "SELECT owner_pid FROM sync_get_session('$code')"), $pid, 'a session can be tied to another backend');
$a->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
finished($other);
wait_for(sub { $a->safe_psql('postgres', "SELECT count(*) FROM sync_sessions() WHERE code = '$code'") eq '0' }, 'and goes with it');

# Deleting a connected session ends its worker within a second, idle or computing.
foreach my $what ('idle', 'rows')
{
	$code = new_code($a);
	my $sql = $what eq 'idle' ? 'SELECT pg_sleep(60);' : q(SELECT * FROM sync_remote_fetch(:c, 'sleeping'););
	my $peer = background($b, "SELECT sync_connect('$url', '$code') AS c \\gset\n$sql\n");
	wait_for(sub { $a->safe_psql('postgres', "SELECT state FROM sync_peers()") eq $what }, "a peer is $what");
	is($a->safe_psql('postgres', "SELECT session = '$code', role, database, address, bytes >= 0, pid > 0 FROM sync_peers()"),
		't|' . $a->safe_psql('postgres', 'SELECT current_user') . '|postgres|127.0.0.1|t|t', 'it is shown');
	$a->safe_psql('postgres', "SELECT sync_delete_session('$code')");
	my $began = time;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'its worker ends');
	cmp_ok(time - $began, '<', 30, "the worker of a deleted session ends ($what)");
	$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()));
	finished($peer);
	like($peer->{err}, qr/ERROR:  08006/, 'the peer learns it') if $what eq 'rows';
}

# Ending a peer by its pid; disabling the module ends all peers of the database.
foreach my $how ('sync_terminate_peer((SELECT pid FROM sync_peers()))', 'sync_disable()')
{
	$code = new_code($a);
	my $peer = background($b, "SELECT sync_connect('$url', '$code') AS c \\gset\nSELECT * FROM sync_remote_fetch(:c, 'sleeping');\n");
	wait_for(sub { $a->safe_psql('postgres', "SELECT state FROM sync_peers()") eq 'rows' }, 'a peer is there');
	$a->safe_psql('postgres', "SELECT $how");
	finished($peer);
	like($peer->{err}, qr/ERROR:  08006/, "$how ends a peer");
}
fails_with($b, "SELECT sync_connect('$url', '" . 'ABCDEFGH' . "')", '28000', qr/invalid_code/, 'disabled: refused like an unknown code');
$a->safe_psql('postgres', 'SELECT sync_enable()');
$code = new_code($a);
$a->safe_psql('postgres', 'SELECT sync_disable()');
fails_with($b, "SELECT sync_connect('$url', '$code')", '28000', qr/invalid_code/, 'a code of a database that was disabled');
$a->safe_psql('postgres', 'SELECT sync_enable()');
is($b->safe_psql('postgres', "SELECT sync_connect('$url', '$code') > 0"), 't', 'was not spent by that');

# completed when the peer says goodbye, failed when it does not come back within the grace.
$code = new_code($a);
$b->safe_psql('postgres', "SELECT sync_disconnect(sync_connect('$url', '$code'))");
is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'completed', 'completed');
$code = new_code($a);
$b->safe_psql('postgres', "SELECT sync_connect('$url', '$code')");
wait_for(sub { $a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')") eq 'failed' }, 'failed after the grace');

# A snapshot may not be held for ever: by a peer that idles, or one that is being computed for.
$a->append_conf('postgresql.conf', 'sync.snapshot_timeout = 2s');
$a->reload;
foreach my $sql ('SELECT pg_sleep(60);', q(SELECT count(*) FROM sync_remote_fetch(:c, 'sleeping');))
{
	$code = new_code($a);
	my $peer = background($b, "SELECT sync_connect('$url', '$code') AS c \\gset\nSELECT sync_remote_get_count(:c, 't');\n$sql\n");
	wait_for(sub { $a->safe_psql('postgres', 'SELECT snapshot_age IS NOT NULL FROM sync_peers()') eq 't' }, 'a peer has a snapshot');
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'it is taken away');
	$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()));
	finished($peer);
}
ok(log_contains($a, qr/snapshot timeout/), 'which is logged');
$a->append_conf('postgresql.conf', 'sync.snapshot_timeout = 12h');
$a->reload;

# A peer that lost its connection comes back with a new snapshot, but never within a call.
$a->append_conf('postgresql.conf', 'sync.reconnect_grace = 60');
$a->reload;
$code = new_code($a);
my $out = $b->safe_psql('postgres', <<"SQL");
SELECT sync_connect('$url', '$code') AS c \\gset
SELECT sync_remote_get_count(:c, 't');
\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c "INSERT INTO t VALUES (101)" -c "SELECT sync_terminate_peer(pid) FROM sync_peers()" > /dev/null; until [ "\$(psql -XAtq -d '@{[$a->connstr('postgres')]}' -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync worker'")" = 0 ]; do sleep 0.1; done
SELECT pg_sleep(0.5);
SELECT status, sync_connected(:c) FROM sync_clients();
SELECT sync_remote_get_count(:c, 't');
SELECT status FROM sync_clients();
SELECT sync_disconnect(:c) \\g /dev/null
SELECT count(*) FROM sync_clients();
SQL
is($out, "100\n\nlost|f\n101\nidle\n0", 'a new connection, a new snapshot');

# Handles: gone with the (sub)transaction that made them, with DISCARD ALL, and not for other roles.
$b->safe_psql('postgres', 'CREATE ROLE other; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO other');
$code = new_code($a) . ' ' . new_code($a) . ' ' . new_code($a);
my ($one, $two, $three) = split ' ', $code;
$out = $b->safe_psql('postgres', <<"SQL");
BEGIN;
SELECT sync_connect('$url', '$one') > 0;
SAVEPOINT s;
SELECT sync_connect('$url', '$two') > 0;
SELECT count(*) FROM sync_clients();
ROLLBACK TO s;
SELECT count(*) FROM sync_clients();
COMMIT;
SELECT count(*) FROM sync_clients();
SET ROLE other;
SELECT count(*) FROM sync_clients();
RESET ROLE;
DISCARD ALL;
SELECT count(*) FROM sync_clients();
BEGIN;
SELECT sync_connect('$url', '$three') AS c \\gset
ROLLBACK;
SELECT count(*) FROM sync_clients();
SQL
is($out, "t\nt\n2\n1\n1\n0\n0\n0", 'handles go with their transaction');
my $fourth = new_code($a);
fails_with($b, "SELECT sync_connect('$url', '$fourth') AS c \\gset\nSET ROLE other;\nSELECT sync_remote_get_count(:c, 't');", '42501', qr/belongs to role/, q(another role's handle));
fails_with($b, "SELECT sync_remote_get_count(77, 't')", 'P0002', qr/not_found/, 'no handle');
$b->append_conf('postgresql.conf', 'max_prepared_transactions = 2');
$b->restart;
$fourth = new_code($a);
fails_with($b, "BEGIN; SELECT sync_connect('$url', '$fourth'); PREPARE TRANSACTION 'x';", '0A000', qr/PREPARE/, 'PREPARE TRANSACTION');

# A restart ends all sessions.
new_code($a, ttl => '1 hour');
$a->restart;
wait_for(sub { $a->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher is back');
is(codes(), '0', 'a restart ends all sessions');

# A standby shares, too, but takes nothing in.
$a->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($a, 'backup', has_streaming => 1);
$standby->{sync_port} = free_port();
$standby->append_conf('postgresql.conf', "sync.port = $standby->{sync_port}");
$standby->start;
wait_for(sub { $standby->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher of a standby');
$a->wait_for_catchup($standby, 'replay', $a->lsn('insert'));
is(run_script($b, $standby, q(SELECT created FROM sync_transfer(:c, 't');)), '101', 'a standby shares its tables');
$code = new_code($a);
fails_with($standby, "SELECT sync_pull('$url', '$code', tables => '{t}')", '25006', qr/read-only|recovery/, 'and takes none in');

# A database with the extension is not kept busy: it can be dropped, renamed, copied; a copy stays quiet.
$a->safe_psql('postgres', 'CREATE DATABASE busy');
$a->safe_psql('busy', 'CREATE EXTENSION sync; SELECT sync_enable(); CREATE TABLE t AS SELECT 1 AS x');
$code = new_code($a, db => 'busy');
$b->safe_psql('postgres', "SELECT sync_disconnect(sync_connect('$url', '$code'))");
wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the peer is gone');
$a->safe_psql('postgres', 'ALTER DATABASE busy RENAME TO renamed');
$a->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE renamed');
is($a->safe_psql('copy', 'SELECT sync_enabled(), worker_state FROM sync_get_config()'), 'f|copied', 'a copied database is quiet');
my ($ret, $stdout, $stderr) = $a->psql('copy', "SELECT sync_create_session('send')");
like($stderr, qr/copy of a database/, 'and shares nothing');
my $gone = new_code($a, db => 'renamed', ttl => '1 hour');
$a->safe_psql('postgres', 'DROP DATABASE renamed');
($ret, $stdout, $stderr) = $b->psql('postgres', "\\set VERBOSITY verbose\nSELECT sync_connect('$url', '$gone')");
like($stderr, qr/ERROR:  (28000|08001|08006|08P01)/, 'a code of a database that was dropped');
$a->safe_psql('postgres', 'DROP DATABASE copy');

# Dropping the extension leaves nothing running that serves it.
$code = new_code($a);
$a->safe_psql('postgres', 'DROP EXTENSION sync');
fails_with($b, "SELECT sync_connect('$url', '$code')", '28000', qr/invalid_code/, 'the extension was dropped');
$a->safe_psql('postgres', 'CREATE EXTENSION sync');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
