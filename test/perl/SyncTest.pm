# Helpers for tests between servers.
package SyncTest;

use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);

our @EXPORT = qw(new_sync_node sync_url new_code pull_script run_script fails_with wait_for soon_is
  free_port log_contains no_leftovers http_request fake_peer stop_fake_peers background finished
  gate at_gate open_gate private_dirty plant_trap);

# A server with sync preloaded, its own port for peers, and the extension in database postgres.
sub new_sync_node
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%{ $params{init} || {} });
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'sync'
sync.port = $port
max_worker_processes = 24
log_min_messages = warning
log_error_verbosity = verbose
log_statement = none
restart_after_crash = on
CONF
	# A standby that is slow to follow still finds what it needs.
	$node->append_conf('postgresql.conf', 'wal_keep_size = 2GB') if $params{init} && $params{init}{allows_streaming};
	$node->append_conf('postgresql.conf', $params{conf}) if $params{conf};
	$node->{sync_port} = $port;
	$node->start;
	unless ($params{bare})
	{
		$node->safe_psql('postgres', 'CREATE EXTENSION sync; SELECT sync_enable();');
		wait_for(
			sub {
				$node->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running';
			},
			"launcher of $name runs");
	}
	return $node;
}

sub sync_url
{
	my ($node) = @_;
	return "http://localhost:$node->{sync_port}";
}

# A code that lives for ten minutes. Options: role, direction, tables (SQL), db, options (JSON).
sub new_code
{
	my ($node, %options) = @_;
	my $direction = $options{direction} || 'send';
	my $tables = $options{tables} ? ", tables => $options{tables}" : '';
	my $ttl = $options{ttl} || '10 min';
	my $extra = $options{options} ? ", options => '$options{options}'" : '';
	my $set = $options{role} ? "SET ROLE \"$options{role}\";" : '';
	return $node->safe_psql($options{db} || 'postgres',
		"SET client_min_messages = error; $set SELECT code FROM sync_create_session('$direction'$tables, ttl => '$ttl'$extra)");
}

# SQL that connects to $from with a new code as :c, does $sql, and disconnects.
sub pull_script
{
	my ($from, $sql, %options) = @_;
	my $code = $options{code} || new_code($from, %options);
	my $url = sync_url($from);
	return "SELECT sync_connect('$url', '$code') AS c \\gset\n$sql\nSELECT sync_disconnect(:c) \\g /dev/null\n";
}

# Runs SQL on $to, connected to $from, and returns its output; dies on an error.
sub run_script
{
	my ($to, $from, $sql, %options) = @_;
	return $to->safe_psql($options{to_db} || 'postgres', pull_script($from, $sql, %options),
		extra_params => ['--no-psqlrc']);
}

# Runs SQL that must fail, and looks at the SQLSTATE and the text of the error.
sub fails_with
{
	my ($node, $sql, $sqlstate, $text, $name, %options) = @_;
	my ($ret, $out, $err) = $node->psql($options{db} || 'postgres',
		"\\set VERBOSITY verbose\n\\set ON_ERROR_STOP on\n$sql", timeout => $PostgreSQL::Test::Utils::timeout_default);
	isnt($ret, 0, "$name: fails");
	like($err, qr/ERROR:  \Q$sqlstate\E:/, "$name: SQLSTATE $sqlstate");
	like($err, $text, "$name: message") if defined $text;
	return $err;
}

# Waits until a condition holds; fails the test after a generous time.
sub wait_for
{
	my ($condition, $what, $seconds) = @_;
	my $end = time + ($seconds || $PostgreSQL::Test::Utils::timeout_default);
	while (time < $end)
	{
		return 1 if $condition->();
		usleep(50_000);
	}
	fail("waited in vain until $what");
	return 0;
}

# The same for what a query says, which is then a test: for what another process is just bringing about.
sub soon_is
{
	my ($node, $sql, $expected, $name, $db) = @_;
	my $got;
	wait_for(sub { ($got = $node->safe_psql($db || 'postgres', $sql)) eq $expected }, $name);
	return is($got, $expected, $name);
}

sub free_port { return PostgreSQL::Test::Cluster::get_free_port(); }

sub log_contains
{
	my ($node, $pattern, $offset) = @_;
	return substr(slurp_file($node->logfile), $offset || 0) =~ $pattern;
}

# Nothing of ours is left: no peer, no transfer, no lock beyond the query's own, no process that was
# killed.
sub no_leftovers
{
	my ($node, $name) = @_;
	soon_is($node, 'SELECT count(*) FROM sync_peers()', '0', "$name: no peer is left");
	soon_is($node, 'SELECT count(*) FROM sync_progress()', '0', "$name: no transfer is left");
	soon_is($node, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync worker'), '0', "$name: no worker is left");
	ok(!log_contains($node, qr/was terminated by signal|PANIC/), "$name: no process was killed");
}

# Sends bytes to a port and returns all that comes back until the other side closes.
sub http_request
{
	my ($port, $bytes, %options) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10)
	  or return undef;
	$socket->autoflush(1);
	print $socket $bytes;
	shutdown($socket, 1) if $options{half_close};
	my $answer = '';
	local $SIG{ALRM} = sub { die "no end of the answer\n" };
	alarm($options{seconds} || 60);
	eval { while (sysread($socket, my $chunk, 65536)) { $answer .= $chunk } };
	alarm(0);
	close $socket;
	return $answer;
}

my @fake_peers;

# A process that listens on a free port and treats each connection as $serve does.
sub fake_peer
{
	my ($serve) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 5, ReuseAddr => 1)
	  or die "listen: $!";
	my $port = $listener->sockport;
	my $pid = fork // die "fork: $!";
	POSIX::setpgid($pid, $pid) if $pid;
	if ($pid == 0)
	{
		POSIX::setpgid(0, 0);    # with its children it can be ended in one go
		$SIG{CHLD} = 'IGNORE';
		$SIG{PIPE} = 'IGNORE';
		while (my $connection = $listener->accept)
		{
			my $child = fork;
			if (defined $child && $child == 0)
			{
				$connection->autoflush(1);
				eval { $serve->($connection) };
				POSIX::_exit(0);
			}
			close $connection;
		}
		POSIX::_exit(0);
	}
	close $listener;
	push @fake_peers, $pid;
	return $port;
}

sub stop_fake_peers
{
	foreach my $pid (@fake_peers) { kill 'TERM', -$pid; waitpid($pid, 0); }
	@fake_peers = ();
}

# A psql session that runs SQL in the background: a hash with out, err and the IPC::Run handle.
my $backgrounds = 0;
my $background_dir = PostgreSQL::Test::Utils::tempdir('background');

sub background
{
	my ($node, $sql, $db) = @_;
	my $file = "$background_dir/" . $backgrounds++ . ".sql";
	append_to_file($file, $sql);
	my %session = (out => '', err => '');
	$session{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr($db || 'postgres'), '-f', $file ],
		'<', '/dev/null', '>', \$session{out}, '2>', \$session{err}, IPC::Run::timeout(600));
	return \%session;
}

# Waits for the end of a background session and returns what it wrote.
sub finished
{
	my ($session) = @_;
	$session->{run}->finish;
	return $session->{out};
}

# A gate that is shut: whoever asks for that advisory lock, shared or not, waits until it is opened.
sub gate
{
	my ($node, $n) = @_;
	my $keeper = background($node, "SELECT pg_advisory_lock($n);\nSELECT pg_sleep(600);\n");
	wait_for(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $n AND granted") eq '1' }, 'the gate is shut');
	return $keeper;
}

# Waits until someone is there.
sub at_gate
{
	my ($node, $n, $what) = @_;
	return wait_for(sub { $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $n AND NOT granted") ne '0' }, $what);
}

sub open_gate
{
	my ($node, $n, $keeper) = @_;
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $n AND granted AND pid <> pg_backend_pid()");
	finished($keeper);
	return;
}

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

# A role with tables of its own, and a function that tells, by its sequence, when another role has run it.
sub plant_trap
{
	my ($node, @tables) = @_;
	return $node->safe_psql('postgres', <<'SQL' . join '', map { "CREATE TABLE mallory.$_ (id int);\n" } @tables);
CREATE ROLE mallory;
CREATE SCHEMA mallory AUTHORIZATION mallory;
SET ROLE mallory;
CREATE SEQUENCE mallory.loot;
CREATE FUNCTION mallory.pounce() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF current_user <> 'mallory' THEN PERFORM nextval('mallory.loot'); END IF; RETURN 1; END $$;
SQL
}

END { my $status = $?; stop_fake_peers() if @fake_peers; $? = $status; }

1;
