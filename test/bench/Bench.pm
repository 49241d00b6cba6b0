# Two servers, SQL on them, and how things are measured: time, WAL, bytes, memory.
package Bench;

use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time usleep);

my @servers = qw(sender receiver);

sub new
{
	my ($class, $dir, %options) = @_;
	my $self = bless { dir => $dir, port => {}, options => \%options }, $class;
	$ENV{PGOPTIONS} = '-c client_min_messages=error';
	$self->start($_) foreach @servers;
	return $self;
}

sub DESTROY
{
	my ($self) = @_;
	my $status = $?;
	system("pg_ctl -D $self->{dir}/$_ -m immediate stop > /dev/null 2>&1") foreach @servers;
	$? = $status;
}

sub option { return $_[0]{options}{ $_[1] }; }

sub run { my (@command) = @_; system(@command) == 0 or die "@command: failed\n"; }

sub free_port { return IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')->sockport; }

sub start
{
	my ($self, $name) = @_;
	my $data = "$self->{dir}/$name";
	$self->{port}{$name} = free_port();
	$self->{port}{"sync $name"} = free_port();
	run("initdb -D $data -A trust -E UTF8 --locale=C.UTF-8 --no-sync > /dev/null");
	open my $conf, '>>', "$data/postgresql.conf" or die;
	print $conf <<"CONF";
port = $self->{port}{$name}
listen_addresses = ''
unix_socket_directories = '$self->{dir}'
shared_preload_libraries = 'sync'
sync.port = $self->{port}{"sync $name"}
sync.max_connections = 40
sync.max_pending = 20
max_worker_processes = 80
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
max_locks_per_transaction = 256
CONF
	close $conf;
	run("pg_ctl -D $data -l $data.log -w start > /dev/null");
	$self->sql($name, 'CREATE EXTENSION sync');
	$self->sql($name, 'SELECT sync_enable()');
}

sub url { my ($self, $name) = @_; return 'http://localhost:' . $self->{port}{ 'sync ' . ($name // 'sender') }; }

# The command line of psql as a list, and as text for a shell.
sub psql { my ($self, $name) = @_; return (qw(psql -XAtq -v ON_ERROR_STOP=1 -d postgres -h), $self->{dir}, '-p', $self->{port}{$name}); }
sub psql_text { my ($self, $name) = @_; return join ' ', $self->psql($name); }

# Runs statements, each in a transaction of its own, and returns what the last one printed.
sub sql
{
	my ($self, $name, @statements) = @_;
	open my $pipe, '-|', $self->psql($name), map { ('-c', $_) } @statements or die;
	my $out = do { local $/; <$pipe> } // '';
	close $pipe or die "$name: @statements: failed\n";
	chomp $out;
	return $out;
}

sub new_code { my ($self) = @_; return $self->sql('sender', q(SELECT code FROM sync_create_session('send', ttl => '1 h'))); }

# SQL that pulls tables from the sender; of its result the sum of a column is printed.
sub pull
{
	my ($self, $tables, $arguments, $result, $url) = @_;
	my $code = $self->new_code;
	$url //= $self->url;
	return sprintf q(SELECT sum(%s) FROM sync_pull('%s', '%s', tables => '{%s}'%s)), $result // 'bytes', $url, $code, $tables,
	  $arguments ? ", $arguments" : '';
}

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ $#sorted / 2 ]; }

sub wal { my ($self, $name) = @_; return $self->sql($name // 'receiver', q(SELECT pg_current_wal_insert_lsn() - '0/0')); }

# Processor time in seconds of all processes so far that have ended: of the servers' and of ours.
sub cpu
{
	my ($self) = @_;
	usleep(100_000);    # who has just been disconnected, ends
	my (undef, undef, $user, $system) = times;
	my $sum = $user + $system;
	foreach my $name (@servers)
	{
		open my $stat, '<', "/proc/" . $self->postmaster($name) . "/stat" or die;
		my @fields = split ' ', (<$stat> =~ s/^.*\) //r);
		$sum += ($fields[13] + $fields[14]) / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
	}
	return $sum;
}

sub postmaster
{
	my ($self, $name) = @_;
	open my $file, '<', "$self->{dir}/$name/postmaster.pid" or die;
	chomp(my $pid = <$file>);
	return $pid;
}

# Runs each variant in turn, `rounds` times, and returns its medians by name: seconds, processor
# time, WAL of the receiver, and what `run` returned as a number. A variant: name, run, and
# optionally before (returns what `run` gets) and after.
sub alternate
{
	my ($self, @variants) = @_;
	my (%seconds, %cpu, %wal, %value);
	foreach my $round (1 .. $self->option('rounds'))
	{
		foreach my $variant (@variants)
		{
			my $name = $variant->{name};
			my $prepared = $variant->{before} ? $variant->{before}->() : undef;
			my $wal = $self->wal;
			my $cpu = $self->cpu;
			my $began = time;
			my $value = $variant->{run}->($prepared);
			push @{ $seconds{$name} }, time - $began;
			push @{ $cpu{$name} }, $self->cpu - $cpu;
			push @{ $wal{$name} }, $self->wal - $wal;
			push @{ $value{$name} }, $value =~ /^\d/ ? $value : 0;
			$variant->{after}->() if $variant->{after};
		}
	}
	my %medians;
	foreach my $name (map { $_->{name} } @variants)
	{
		$medians{$name} = { seconds => median(@{ $seconds{$name} }), cpu => median(@{ $cpu{$name} }), wal => median(@{ $wal{$name} }),
			value => median(@{ $value{$name} }) };
	}
	return %medians;
}

# Prints a table: the first row is the names of the columns.
sub print_table
{
	my (@rows) = @_;
	my @width;
	foreach my $row (@rows)
	{
		foreach my $i (0 .. $#$row) { $width[$i] = length $row->[$i] if length $row->[$i] > ($width[$i] // 2); }
	}
	print "\n";
	foreach my $r (0 .. $#rows)
	{
		my @cells = map { $_ == 0 ? sprintf "%-$width[0]s", $rows[$r][0] : sprintf "%$width[$_]s", $rows[$r][$_] } 0 .. $#width;
		print '| ', join(' | ', @cells), " |\n";
		print '|', join('|', map { '-' x ($width[$_] + 1) . ($_ ? ':' : '-') } 0 .. $#width), "|\n" if $r == 0;
	}
}

sub mb { return sprintf '%.1f', $_[0] / 1048576; }

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

# The processes of the two servers whose title matches.
sub processes
{
	my ($self, $pattern) = @_;
	my @found;
	foreach my $name (@servers)
	{
		my $postmaster = $self->postmaster($name);
		open my $children, '<', "/proc/$postmaster/task/$postmaster/children" or die;
		foreach my $pid (split ' ', <$children> // '')
		{
			open my $cmd, '<', "/proc/$pid/cmdline" or next;
			push @found, $pid if (<$cmd> // '') =~ $pattern;
		}
	}
	return @found;
}

# Runs SQL on the receiver, after SELECT 1, and returns by how many MB the private memory of its
# backend and of the peers' workers grew above that of the backend then.
sub memory_of
{
	my ($self, $sql) = @_;
	my $file = "$self->{dir}/measured.sql";
	open my $out, '>', $file or die;
	print $out "SELECT 1;\n\\! sleep 0.3\n$sql;\n";
	close $out;
	my (%base, %peak);
	my $pid = fork // die;
	if ($pid == 0)
	{
		open STDOUT, '>', '/dev/null';
		exec($self->psql('receiver'), '-f', $file) or POSIX::_exit(1);
	}
	while (waitpid($pid, POSIX::WNOHANG()) == 0)
	{
		foreach my $kind ([ backend => qr/^postgres: \S+ postgres \[local\]/ ], [ worker => qr/^postgres: sync worker/ ])
		{
			my ($what, $pattern) = @$kind;
			foreach my $process ($self->processes($pattern))
			{
				my $kb = private_dirty($process);
				$base{$what} //= $kb if $what eq 'backend';
				$peak{$what} = $kb if $kb > ($peak{$what} // 0);
			}
		}
		usleep(50_000);
	}
	die "$sql: failed\n" if $?;
	return map { $_ => (($peak{$_} // $base{backend}) - $base{backend}) / 1024 } qw(backend worker);
}

1;
