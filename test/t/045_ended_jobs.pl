# What ends a job that runs: its connection is suspended, revoked, deleted or changed, or the
# extension is dropped.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver');
$a->safe_psql('postgres', q(
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
));
my $site = peer_proxy($a);
sub sql { return $b->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sql('CREATE ROLE other');

# A job that would take minutes, under way over a connection of its own.
my $made = 0;
sub slow_job
{
	my $name = 'site ' . ++$made;
	add_receiver($b, $name, "$site->{url}/$made");
	my $job = sql("SELECT sync_transfer_async('$name', tables => '{t}', max_rate => 500)");
	wait_for(sub { sql("SELECT count(*) FROM sync_progress() WHERE transfer = '$job' AND phase = 'copying'") eq '1' }, 'the job runs');
	return ($name, $job);
}
sub workers { return sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker')); }
sub ended { my ($job) = @_; return sql("SELECT status, error_message, completed_at IS NOT NULL, worker_pid IS NULL FROM sync_transfers WHERE uuid = '$job'"); }

foreach my $how (
	[ q(sync_suspend_connection('NAME')), 'is suspended' ],
	[ q(sync_revoke_connection('NAME')), 'is revoked' ],
	[ q(sync_delete_connection('NAME')), 'was deleted' ],
	[ q(sync_update_connection('NAME', '{"run_as": "other"}')), 'was changed' ])
{
	my ($call, $what) = @$how;
	my ($name, $job) = slow_job();
	$call =~ s/NAME/$name/;
	sql("BEGIN; SELECT FROM $call; ROLLBACK");
	sql(q(SELECT sync_update_connection('NAME', '{"own_url": "http://me.example"}')) =~ s/NAME/$name/r);
	usleep(1_000_000);
	is(sql("SELECT status FROM sync_transfers WHERE uuid = '$job'"), 'in_progress', "$call, rolled back: it goes on, as after other changes");
	my $gate = gate($b, 1);
	my $listener = background($b, "LISTEN sync_transfer;\nSELECT pg_advisory_lock_shared(1);\n");
	at_gate($b, 1, 'somebody listens');
	sql("SELECT FROM $call");
	my $began = time;
	wait_for(sub { ended($job) ne 'in_progress||f|f' && workers() eq '0' }, 'it ends');
	cmp_ok(time - $began, '<', 30, "$call ends it in the middle of a table");
	is(ended($job), "cancelled|its connection $what|t|t", 'with the reason');
	is(sql("SELECT to_regclass('t') IS NULL"), 't', 'nothing of it stays');
	open_gate($b, 1, $gate);
	like(finished($listener), qr/"sync_transfer" with payload "$job cancelled"/, 'who listens is told');
}

# DROP EXTENSION does not wait for a job, and ends it at COMMIT.
my ($name, $job) = slow_job();
$b->safe_psql('postgres', q(SET client_min_messages = error; SET lock_timeout = '10s'; BEGIN; DROP EXTENSION sync; ROLLBACK));
usleep(1_000_000);
is(sql("SELECT status FROM sync_transfers WHERE uuid = '$job'"), 'in_progress', 'one that is rolled back: the job goes on');
my $offset = -s $b->logfile;
$b->safe_psql('postgres', q(SET client_min_messages = error; SET lock_timeout = '10s'; DROP EXTENSION sync));
ok(1, 'DROP EXTENSION does not wait');
ok(wait_for(sub { workers() eq '0' }, 'the worker is gone'), 'and ends the worker');
is(sql("SELECT to_regclass('t') IS NULL"), 't', 'nothing of the job stays');
ok(!log_contains($b, qr/ERROR/, $offset), 'without an error in the log');
sql('CREATE EXTENSION sync; SELECT sync_enable()');
add_receiver($b, 'new', $site->{url});
$job = sql(q(SELECT sync_transfer_async('new', tables => '{t}')));
ok(wait_for(sub { ended($job) =~ /^completed/ }, 'a job of the new one'), 'a new one has its jobs');

# Who uses its tables in another order than DROP EXTENSION locks them is waited for, without a deadlock.
my $user = background($b, q(
BEGIN;
SELECT sync_purge_transfers('100 years');
DO $$
BEGIN
	FOR i IN 1 .. 1000 LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%DROP EXTENSION sync%' AND wait_event_type = 'Lock');
		PERFORM pg_sleep(0.05);
	END LOOP;
END $$;
SELECT sync_suspend_connection('none of that name');
COMMIT;
));
wait_for(sub { sql("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'sync_transfers' AND l.mode = 'RowExclusiveLock'") ne '0' }, 'it uses one');
sql('DROP EXTENSION sync');
sql('CREATE EXTENSION sync');
finished($user);
unlike($user->{err}, qr/40P01/, 'DROP EXTENSION and who uses several tables: no deadlock');
like($user->{err}, qr/none of that name/, 'both were served');

no_leftovers($_, $_->name) foreach $a, $b;
$_->stop foreach $a, $b;
done_testing();
