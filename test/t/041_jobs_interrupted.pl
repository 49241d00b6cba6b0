# Jobs whose peer is lost, whose worker is killed, whose server restarts, whose database goes.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use SyncPeers;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver', conf => "sync.max_jobs = 1\n");
$a->safe_psql('postgres', q(
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u SELECT generate_series(1, 10);
));
my $site = peer_proxy($a);
my $broken = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
add_receiver($b, 'broken', $broken->{url});

sub sql { return $b->safe_psql($_[1] || 'postgres', $_[0]); }
sub status { return sql("SELECT status FROM sync_transfers WHERE uuid = '$_[0]'"); }
sub wait_status
{
	my ($uuid, $status, $name) = @_;
	wait_for(sub { status($uuid) eq $status }, "$name: $status");
	is(status($uuid), $status, $name);
}
sub running
{
	my ($uuid) = @_;
	return wait_for(sub { sql("SELECT count(*) FROM sync_progress() WHERE transfer = '$uuid'") eq '1' }, 'the job runs');
}
my $slow = q(tables => '{t}', max_rate => 500);

# No more than sync.max_jobs at once, and more without a restart.
my $first = sql("SELECT sync_transfer_async('main', $slow)");
running($first);
my $second = sql("SELECT sync_transfer_async('broken', tables => '{u}')");
usleep(500_000);
is(status($second), 'pending', 'a job waits for a free worker');
$b->append_conf('postgresql.conf', "sync.max_jobs = 2\n");
$b->reload;
wait_status($second, 'completed', 'with more workers it runs');
is(status($first), 'in_progress', 'beside the first one');
sql("SELECT sync_cancel_transfer('$first')");
wait_status($first, 'cancelled', 'the first one');

# A peer that is not there is tried again, three times, after growing pauses; others go on meanwhile.
$broken->{mode}->('refuse');
my $failing = sql("SELECT sync_transfer_async('broken', tables => '{u}')");
soon_is($b, "SELECT attempts > 0, error_message IS NOT NULL, next_attempt_at > started_at + interval '2 s' FROM sync_transfers WHERE uuid = '$failing'", 't|t|t', 'a first attempt has failed, and it will be tried again');
my $other = sql("SELECT sync_transfer_async('main', tables => '{u}', strategy => 'overwrite')");
wait_status($other, 'completed', 'a job of another connection');
wait_status($failing, 'failed', 'after the last attempt');
is(sql("SELECT attempts, completed_at - started_at > interval '10 s' FROM sync_transfers WHERE uuid = '$failing'"), '3|t', 'there were three');
$failing = sql("SELECT sync_transfer_async('broken', tables => '{u}', strategy => 'overwrite')");
wait_for(sub { sql("SELECT error_message IS NOT NULL FROM sync_transfers WHERE uuid = '$failing'") eq 't' }, 'a first attempt has failed');
$broken->{mode}->('pass');
wait_status($failing, 'completed', 'with the peer back');
like(sql("SELECT attempts FROM sync_transfers WHERE uuid = '$failing'"), qr/^[23]$/, 'at a later attempt');

# A peer that hangs does not hold up others, and can be cancelled.
$broken->{mode}->('hang');
$failing = sql("SELECT sync_transfer_async('broken', tables => '{u}', strategy => 'merge')");
wait_for(sub { status($failing) eq 'in_progress' }, 'a job whose peer says nothing');
$other = sql("SELECT sync_transfer_async('main', tables => '{u}', strategy => 'merge')");
wait_status($other, 'completed', 'a job beside it');
sql("SELECT sync_cancel_transfer('$failing')");
wait_status($failing, 'cancelled', 'a job whose peer says nothing');
$broken->{mode}->('pass');

# A worker that is ended: the job begins again; nothing of the first attempt is there.
sql('DROP TABLE IF EXISTS t');
my $uuid = sql("SELECT sync_transfer_async('main', $slow)");
running($uuid);
sql("SELECT pg_terminate_backend(worker_pid) FROM sync_transfers WHERE uuid = '$uuid'");
wait_for(sub { sql("SELECT attempts FROM sync_transfers WHERE uuid = '$uuid'") eq '2' }, 'it begins again');
running($uuid);

# A worker that is killed takes the server down; after the recovery the job begins again.
my $pid = sql("SELECT worker_pid FROM sync_transfers WHERE uuid = '$uuid'");
my $offset = -s $b->logfile;
kill 9, $pid;
wait_for(sub { log_contains($b, qr/all server processes terminated; reinitializing/, $offset) }, 'the server restarts');
$b->poll_query_until('postgres', 'SELECT true');
wait_for(sub { sql("SELECT attempts FROM sync_transfers WHERE uuid = '$uuid'") eq '3' }, 'it begins for the last time');
running($uuid);

# After the third attempt there is none.
sql("SELECT pg_terminate_backend(worker_pid) FROM sync_transfers WHERE uuid = '$uuid'");
wait_status($uuid, 'failed', 'a job whose worker has ended three times');
like(sql("SELECT error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/worker of the job has ended/, 'tells why');

# It survives the end of the server, in the midst of it or before it began.
$uuid = sql("SELECT sync_transfer_async('main', $slow, strategy => 'merge')");
my $waiting = sql("SELECT sync_transfer_async('main', tables => '{u}', drop_extra_columns => true)");
running($uuid);
$b->stop('immediate');
$b->start;
wait_for(sub { sql("SELECT attempts FROM sync_transfers WHERE uuid = '$uuid'") eq '2' }, 'it begins again');
running($uuid);
sql("SELECT sync_cancel_transfer('$uuid')");
wait_status($uuid, 'cancelled', 'it');
wait_status($waiting, 'completed', 'the other one has its turn');

# A database that is renamed while a job waits, and one that is dropped: the log stays quiet.
foreach my $name ('renamed', 'dropped')
{
	sql("CREATE DATABASE $name");
	sql('CREATE EXTENSION sync; SELECT sync_enable()', $name);
	add_receiver($b, 'main', $broken->{url}, db => $name);
}
$broken->{mode}->('refuse');
my %job = map { $_ => sql("SELECT sync_transfer_async('main', tables => '{u}')", $_) } ('renamed', 'dropped');
foreach my $name ('renamed', 'dropped')
{
	wait_for(sub { sql('SELECT attempts > 0 AND status = \'pending\' FROM sync_transfers', $name) eq 't' }, "a job of $name waits");
}
# However long that has taken, they have an attempt left.
sql("UPDATE sync_transfers SET attempts = 1, next_attempt_at = clock_timestamp() + interval '8 s' WHERE status = 'pending'", $_) foreach 'renamed', 'dropped';
$offset = -s $b->logfile;
sql('ALTER DATABASE renamed RENAME TO other_name');
sql('DROP DATABASE dropped');
$broken->{mode}->('pass');
wait_for(sub { sql("SELECT status FROM sync_transfers WHERE uuid = '$job{renamed}'", 'other_name') eq 'completed' }, 'the job of a renamed database');
is(sql('SELECT count(*) FROM u', 'other_name'), '10', 'has brought the table');
usleep(6_000_000);
my $log = substr(slurp_file($b->logfile), $offset);
cmp_ok(scalar(() = $log =~ /FATAL/g), '<=', 1, 'no crash loop for a dropped database');

# The launcher sleeps where there is nothing to do.
my $launcher = sql(q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync launcher'));
sub ticks { my @stat = split ' ', slurp_file("/proc/$launcher/stat"); return $stat[13] + $stat[14]; }
sub switches { return slurp_file("/proc/$launcher/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : 0; }
wait_for(sub { my $before = switches(); usleep(5_000_000); return switches() == $before }, 'the launcher is idle');
my ($ticks, $switches) = (ticks(), switches());
usleep(20_000_000);
is(ticks() - $ticks, 0, 'an idle launcher uses no CPU');
cmp_ok(switches() - $switches, '<=', 2, 'and does not wake up');

$b->safe_psql('postgres', 'SELECT sync_disable()');
ok(!log_contains($a, qr/was terminated by signal|PANIC/), 'no process of the sender was killed');
done_testing();
