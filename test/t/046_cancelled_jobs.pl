# A cancel counts whenever it comes: while a worker takes the job, while it notes that it will try
# again; what has ended is said to have; and what has waited for it has its turn.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver', conf => "sync.lock_timeout = 5min\n");
$a->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
	CREATE TABLE s AS SELECT i AS id, repeat($$x$$, 100) AS v FROM generate_series(1, 100) i; CREATE TABLE u (id int PRIMARY KEY)');
my $site = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
sub sql { return $b->safe_psql('postgres', $_[0]); }
sub ask { return sql(q(SELECT sync_transfer_async('main', tables => '{t}'))); }
sub status { my ($job) = @_; return sql("SELECT status FROM sync_transfers WHERE uuid = '$job'"); }
sub ends
{
	my ($job, $expected, $what) = @_;
	wait_for(sub { status($job) !~ /pending|in_progress/ }, "$what: it ends");
	is(sql("SELECT status, attempts, error_message, completed_at IS NOT NULL, worker_pid IS NULL FROM sync_transfers WHERE uuid = '$job'"), $expected, $what);
	is(sql(q(SELECT to_regclass('t') IS NULL)), 't', "$what: nothing was done");
}

# ---- a worker has just taken it --------------------------------------------------------------------

# Before it begins it looks what will be next: here behind a gate.
sql(q(CREATE ROLE other;
	ALTER TABLE sync_notices RENAME TO kept_notices;
	INSERT INTO kept_notices (connection_uuid, direction, site_url, auth_token_hash, action, run_as, next_attempt_at)
		SELECT uuid, direction, site_url, 'x', 'active', run_as, '9999-12-31' FROM sync_connections;
	CREATE TABLE way (shut bool); INSERT INTO way VALUES (true);
	CREATE FUNCTION pass() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT shut FROM public.way) THEN PERFORM pg_advisory_xact_lock_shared(1); END IF; RETURN true; END $$;
	CREATE VIEW sync_notices AS SELECT n.* FROM (SELECT pass()) AS gate, kept_notices n));
foreach my $how (
	[ q(sync_cancel_transfer('JOB')), 'cancelled on request' ],
	[ q(sync_update_connection('main', '{"run_as": "other"}')), 'its connection was changed' ])
{
	my ($call, $why) = @$how;
	my $gate = gate($b, 1);
	my $job = ask();
	at_gate($b, 1, 'a worker has taken the job');
	is(status($job), 'in_progress', "$call: a job that was taken, and has not begun");
	sql('SELECT FROM ' . $call =~ s/JOB/$job/r);
	open_gate($b, 1, $gate);
	ends($job, "cancelled|1|$why|t|t", $call);
}
sql('UPDATE sync_connections SET run_as = current_user');

# What has waited for the connection is not forgotten where a worker is ended before it has told of it.
{
	my $job = sql(q(SELECT sync_transfer_async('main', tables => '{s}', max_rate => 10)));
	wait_for(sub { sql("SELECT count(*) FROM sync_progress() WHERE transfer = '$job' AND phase = 'copying'") eq '1' }, 'a job runs');
	my $next = sql(q(SELECT sync_transfer_async('main', tables => '{u}')));
	wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker')) eq '1' }, 'nobody else can do anything');
	my $gate = gate($b, 1);
	sql("SELECT sync_cancel_transfer('$job')");
	at_gate($b, 1, 'its worker looks what is next');
	sql(q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sync job worker'));
	open_gate($b, 1, $gate);
	wait_for(sub { status($next) eq 'completed' }, 'the next job has its turn');
	is(status($job) . ' ' . status($next), 'cancelled completed', 'the job that has waited');
}

# ---- it will be tried again ------------------------------------------------------------------------

$site->{mode}->('refuse');
sql(q(CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(2); RETURN NEW; END $$;
	CREATE TRIGGER hold BEFORE UPDATE ON sync_transfers FOR EACH ROW WHEN (OLD.status = 'in_progress' AND NEW.status = 'pending') EXECUTE FUNCTION hold()));
{
	my $gate = gate($b, 2);
	my $job = ask();
	at_gate($b, 2, 'the job has failed, and its worker notes that');
	sql("SELECT sync_cancel_transfer('$job')");
	open_gate($b, 2, $gate);
	ends($job, 'cancelled|1|cancelled on request|t|t', 'a job that was to be tried again');
}

# A worker that has looked before that was noted, and tells later what it has seen, takes nothing back.
{
	my @gates = (gate($b, 1), gate($b, 2));
	sql('UPDATE way SET shut = false');
	my $job = ask();
	at_gate($b, 2, 'the job has failed, and its worker notes that');
	sql('UPDATE way SET shut = true');
	sql(q(SELECT sync_update_connection('main', '{}')));
	at_gate($b, 1, 'another worker has looked for jobs, and goes on looking');
	sql('UPDATE way SET shut = false');
	open_gate($b, 2, $gates[1]);
	wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker')) eq '1' }, 'the first one has told when the job is due');
	$site->{mode}->('pass');
	open_gate($b, 1, $gates[0]);
	wait_for(sub { status($job) eq 'completed' }, 'the job is tried again');
	is(sql("SELECT status, attempts FROM sync_transfers WHERE uuid = '$job'"), 'completed|2', 'a job that another worker has not seen');
	sql('DROP TABLE t');
}
sql(q(DROP VIEW sync_notices; ALTER TABLE kept_notices RENAME TO sync_notices));

# ---- no worker has it any more ---------------------------------------------------------------------

# A job whose worker has vanished, while somebody else changes its row.
wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker')) eq '0' }, 'no worker is left');
foreach my $case (
	[ q(status = 'completed'), 'completed', qr/55000: transfer \S+ has ended already/ ],
	[ q(status = 'pending', next_attempt_at = 'infinity'), 'cancelled', qr/\A\z/ ],
	[ 'attempts = 2', 'cancelled', qr/\A\z/ ])
{
	my ($change, $status, $told) = @$case;
	my $job = sql(q(INSERT INTO sync_transfers (direction, table_name, status, job, run_as, attempts)
		VALUES ('receive', 't', 'in_progress', '{}', current_user, 1) RETURNING uuid));
	my $gate = gate($b, 3);
	my $changer = background($b, "BEGIN;\nUPDATE sync_transfers SET $change WHERE uuid = '$job';\nSELECT pg_advisory_lock(3);\nCOMMIT;\n");
	at_gate($b, 3, 'its row is being changed');
	my $canceller = background($b, "SELECT sync_cancel_transfer('$job');\n");
	wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT sync_cancel%' AND wait_event_type = 'Lock')) eq '1' }, 'who cancels it waits for that');
	open_gate($b, 3, $gate);
	finished($_) foreach $changer, $canceller;
	like($canceller->{err}, $told, "$change meanwhile: what is said");
	is(status($job), $status, "$change meanwhile: what is so");
}

no_leftovers($_, $_->name) foreach $a, $b;
done_testing();
