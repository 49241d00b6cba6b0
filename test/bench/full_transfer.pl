# Full transfer of pgbench_accounts into an existing empty table, against the two psql in a pipe; and
# the memory that it takes.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time usleep);

my ($dir, $rows, $rounds) = @ARGV;
my %port;

sub run { my (@command) = @_; system(@command) == 0 or die "@command: failed\n"; }
sub free_port { return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport; }

sub start_server
{
	my ($name) = @_;
	$port{$name} = free_port();
	$port{"sync $name"} = free_port();
	run("initdb -D $dir/$name -A trust -E UTF8 --locale=C.UTF-8 --no-sync > /dev/null");
	open my $conf, '>>', "$dir/$name/postgresql.conf" or die;
	print $conf <<"CONF";
port = $port{$name}
listen_addresses = ''
unix_socket_directories = '$dir'
shared_preload_libraries = 'sync'
sync.port = $port{"sync $name"}
max_worker_processes = 16
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
CONF
	close $conf;
	run("pg_ctl -D $dir/$name -l $dir/$name.log -w start > /dev/null");
	sql($name, 'CREATE EXTENSION sync; SELECT sync_enable()');
}
END { my $status = $?; system("pg_ctl -D $dir/$_ -m immediate stop > /dev/null 2>&1") foreach grep { !/^sync/ } keys %port; $? = $status; }

sub psql { my ($name) = @_; return "psql -XAtq -v ON_ERROR_STOP=1 -h $dir -p $port{$name} -d postgres"; }
sub sql
{
	my ($name, $sql) = @_;
	open my $pipe, '-|', psql($name) . " -c \"$sql\" 2>/dev/null" or die;
	my $out = do { local $/; <$pipe> } // '';
	close $pipe or die "$name: $sql: failed\n";
	chomp $out;
	return $out;
}
sub new_code { return sql('sender', q(SELECT code FROM sync_create_session('send', ttl => '1 h'))); }
sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ $#sorted / 2 ]; }

# Private dirty memory of a process in kB, without the server's shared memory: a page of that counts
# as private for as long as no other process has looked at it.
sub private_dirty
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/smaps" or return 0;
	my ($sum, $shared) = (0, 0);
	while (<$file>)
	{
		$shared = m{/dev/zero|/SYSV|PostgreSQL\.} if /^[0-9a-f]+-[0-9a-f]+ /;
		$sum += $1 if !$shared && /^Private_Dirty:\s+(\d+) kB/;
	}
	return $sum;
}

# Runs SQL on the receiver while it looks at the memory of its backend and of the peer's worker.
sub with_memory
{
	my ($sql) = @_;
	my $file = "$dir/measured.sql";
	open my $out, '>', $file or die;
	print $out "SELECT 1;\n\\! sleep 0.3\n$sql";
	close $out;
	my %peak;
	my %base;
	my $pid = fork;
	if ($pid == 0) { open STDOUT, '>', '/dev/null'; exec(psql('receiver') . " -f $file") or POSIX::_exit(1); }
	while (1)
	{
		foreach my $proc (glob '/proc/[0-9]*')
		{
			open my $cmd, '<', "$proc/cmdline" or next;
			my $line = <$cmd> // '';
			my $what = $line =~ /^postgres: sync worker/ ? 'worker' : $line =~ /^postgres: \S+ postgres \[local\]/ ? 'backend' : next;
			my $kb = private_dirty($proc =~ s/\D//gr);
			$base{$what} //= $kb;
			$peak{$what} = $kb if $kb > ($peak{$what} // 0);
		}
		last if waitpid($pid, POSIX::WNOHANG()) == $pid;
		usleep(50_000);
	}
	die "transfer failed\n" if $?;
	return map { $_ => ($peak{$_} - $base{$_}) / 1024 } keys %peak;
}

start_server($_) foreach qw(sender receiver);
my $scale = $rows / 100_000;
run("pgbench -i -q -s $scale -h $dir -p $port{sender} postgres > /dev/null 2>&1");
run("pgbench -i -q -I dtp -s 1 -h $dir -p $port{receiver} postgres > /dev/null 2>&1");
my $bytes = sql('sender', q(SELECT pg_table_size('pgbench_accounts')));
printf "pgbench_accounts: %d rows, %.0f MB, fsync on, %d rounds, medians\n\n", $rows, $bytes / 1048576, $rounds;

sub prepare { sql('receiver', 'TRUNCATE pgbench_accounts; CHECKPOINT'); sql('sender', 'CHECKPOINT'); }
sub wal { return sql('receiver', q(SELECT pg_current_wal_insert_lsn() - '0/0')); }

my (%seconds, %wal);
my $columns = '';
foreach my $round (1 .. $rounds)
{
	prepare();
	my $before = wal();
	my $began = time;
	run(psql('sender') . q( -c "COPY pgbench_accounts TO STDOUT (FORMAT binary)" | ) . psql('receiver') . q( -c "COPY pgbench_accounts FROM STDIN (FORMAT binary)"));
	push @{ $seconds{copy} }, time - $began;
	push @{ $wal{copy} }, wal() - $before;

	foreach my $mode ('auto', 'online')
	{
		prepare();
		my $code = new_code();
		$before = wal();
		$began = time;
		sql('receiver', qq(SELECT sync_pull('http://localhost:$port{"sync sender"}', '$code', tables => '{pgbench_accounts}', mode => '$mode')));
		push @{ $seconds{$mode} }, time - $began;
		push @{ $wal{$mode} }, wal() - $before;
		die "rows are missing\n" unless sql('receiver', 'SELECT count(*) FROM pgbench_accounts') == $rows;
	}
}
my $copy = median(@{ $seconds{copy} });
printf "%-44s %8s %8s %12s %10s\n", 'into an existing empty table with its key', 's', 'ratio', 'rows/s', 'WAL MB';
foreach ([ 'copy', 'psql COPY binary | psql COPY binary' ], [ 'auto', 'sync_pull' ], [ 'online', q(sync_pull, mode => 'online') ])
{
	my ($key, $name) = @$_;
	my $s = median(@{ $seconds{$key} });
	printf "%-44s %8.2f %8.2f %12.0f %10.0f\n", $name, $s, $s / $copy, $rows / $s, median(@{ $wal{$key} }) / 1048576;
}

prepare();
my $code = new_code();
my %memory = with_memory(qq(SELECT sync_pull('http://localhost:$port{"sync sender"}', '$code', tables => '{pgbench_accounts}');\n));
printf "\npeak of private memory above that after SELECT 1: receiving backend %.0f MB, sending worker %.0f MB\n",
  $memory{backend}, $memory{worker} // 0;
