# What a transfer and an idle server take: memory does not grow with the table, WAL and bytes are
# those of the rows, statements follow batches and not rows, and a launcher without work sleeps.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $mb = 1024;    # in kB
my $sender = new_sync_node('sender');
my $receiver = new_sync_node('receiver', conf => "shared_preload_libraries = 'sync, pg_stat_statements'\npg_stat_statements.track = all\n");
$receiver->safe_psql('postgres', 'CREATE EXTENSION pg_stat_statements');

# Idle, while nobody has asked for anything for a while.
sub wake_ups
{
	my ($pid) = @_;
	my ($count) = slurp_file("/proc/$pid/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
	return $count;
}
my $launcher = $sender->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync launcher'));
wait_for(sub { my $before = wake_ups($launcher); usleep(5_000_000); return wake_ups($launcher) - $before < 2 }, 'the launcher is idle', 120);
my $before = wake_ups($launcher);
sleep 20;
cmp_ok(wake_ups($launcher) - $before, '<=', 6, 'an idle launcher hardly wakes up');

# A table of 120 MB that does not compress.
my $rows = 15_000;
my $table = 'CREATE TABLE large (id int PRIMARY KEY, t text, u text); ALTER TABLE large ALTER t SET STORAGE EXTERNAL';
$sender->safe_psql('postgres', "$table; INSERT INTO large SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 250) j), 'u' || i FROM generate_series(1, $rows) i");
$receiver->safe_psql('postgres', $table);
my $size = $sender->safe_psql('postgres', 'SELECT sum(length(t) + length(u) + 4) FROM large');

sub peaks
{
	my ($sql) = @_;
	my $session = background($receiver, "SELECT pg_backend_pid(); SELECT pg_sleep(0.5);\n" . pull_script($sender, $sql));
	my (%peak, %base);
	while ($session->{run}->pumpable)
	{
		$session->{run}->pump_nb;
		my %pid = (worker => $sender->safe_psql('postgres', q(SELECT pid FROM sync_peers() LIMIT 1)), backend => $session->{out} =~ /^(\d+)\n/ ? $1 : '');
		foreach my $side (grep { $pid{$_} } keys %pid)
		{
			my $dirty = private_dirty($pid{$side});
			$base{backend} //= $dirty if $side eq 'backend';
			$peak{$side} = $dirty if $dirty > ($peak{$side} // 0);
		}
		usleep(50_000);
	}
	$session->{run}->finish;
	return ($peak{backend} - $base{backend}, $peak{worker} - $base{backend}, $session);
}

foreach my $mode (qw(auto online))
{
	$receiver->safe_psql('postgres', 'TRUNCATE large; SELECT pg_stat_statements_reset(); CHECKPOINT');
	my $wal = $receiver->safe_psql('postgres', q(SELECT pg_current_wal_insert_lsn() - '0/0'));
	my ($backend, $worker, $session) = peaks("SELECT created, bytes FROM sync_transfer(:c, 'large', mode => '$mode');");
	my ($created, $bytes) = $session->{out} =~ /^(\d+)\|(\d+)$/m or die $session->{err};
	$wal = $receiver->safe_psql('postgres', q(SELECT pg_current_wal_insert_lsn() - '0/0')) - $wal;
	is($created, $rows, "$mode: all rows came");
	cmp_ok($backend, '<', 64 * $mb, "$mode: memory of the backend ($backend kB)");
	cmp_ok($worker, '<', 64 * $mb, "$mode: memory of the worker ($worker kB)");
	cmp_ok($bytes, '<', 1.1 * $size, "$mode: bytes on the wire");
	cmp_ok($wal, '<', 2 * $size, "$mode: WAL");
	cmp_ok($receiver->safe_psql('postgres', 'SELECT sum(calls) FROM pg_stat_statements'), '<', 1000, "$mode: statements do not follow rows");
}

no_leftovers($_, $_->name) foreach $sender, $receiver;
done_testing();
