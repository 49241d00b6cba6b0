# Cancel, time-outs, dying peers, truncation, shutdown: in whatever phase, all or nothing, and nothing left.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\nsync.lock_timeout = 1s\n");
my $b = new_sync_node('receiver');
my $url = sync_url($a);

# Each row takes a while to be sent, and a while to be taken.
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE fast (id int PRIMARY KEY, v text);
INSERT INTO fast SELECT i, 'v' || i FROM generate_series(1, 20000) i;
CREATE TABLE slow (id int PRIMARY KEY, v text);
INSERT INTO slow SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) i;
CREATE FUNCTION crawl(id int) RETURNS bool LANGUAGE plpgsql COST 10000 AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN true; END $$;
ALTER TABLE slow ENABLE ROW LEVEL SECURITY;
CREATE POLICY crawl ON slow USING (crawl(id));
CREATE ROLE crawler;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO crawler;
GRANT EXECUTE ON FUNCTION sync_create_session TO crawler;
ANALYZE;
SQL
$b->safe_psql('postgres', <<'SQL');
CREATE TABLE fast (id int PRIMARY KEY, v text);
CREATE TABLE slow (id int PRIMARY KEY, v text);
CREATE TABLE slow_here (id int PRIMARY KEY, v text);
CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$;
CREATE TRIGGER crawl BEFORE INSERT ON slow_here FOR EACH ROW EXECUTE FUNCTION crawl();
SQL

my %phases = (
	'while the peer computes' => [ q(SELECT sync_transfer(:c, 'slow');), 'crawler', 'slow' ],
	'while rows are written' => [ q(SELECT sync_transfer(:c, 'fast', 'slow_here');), undef, 'slow_here' ],
);
sub start_transfer
{
	my ($phase) = @_;
	my ($sql, $role, $table) = @{ $phases{$phase} };
	my $transfer = background($b, pull_script($a, "SET application_name = 'transferring';\n$sql", role => $role));
	wait_for(sub { $b->safe_psql('postgres', "SELECT count(*) FROM sync_progress() WHERE phase = 'copying'") eq '1' }, "a transfer runs ($phase)");
	wait_for(sub { $a->safe_psql('postgres', "SELECT count(*) FROM sync_peers()") eq '1' }, 'with its peer');
	return ($transfer, $table);
}
sub transfer_pid { return $b->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE application_name = 'transferring')); }
sub both_clean
{
	my ($table, $name) = @_;
	my $began = time;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, "$name: the peer's worker ends");
	cmp_ok(time - $began, '<', 25, "$name: soon");
	is($b->safe_psql('postgres', "SELECT count(*) FROM $table"), '0', "$name: nothing has arrived");
	soon_is($b, 'SELECT count(*) FROM sync_progress()', '0', "$name: no progress is shown");
	soon_is($b, "SELECT count(*) FROM pg_locks WHERE relation = '$table'::regclass AND pid <> pg_backend_pid()", '0', "$name: no lock is left here");
	soon_is($a, q(SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname IN ('fast', 'slow') AND pid <> pg_backend_pid()), '0', "$name: none there");
	soon_is($a, q(SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'sync worker'), '0', "$name: no snapshot either");
}

foreach my $phase (sort keys %phases)
{
	my ($transfer, $table) = start_transfer($phase);
	$b->safe_psql('postgres', 'SELECT pg_cancel_backend(' . transfer_pid() . ')');
	finished($transfer);
	like($transfer->{err}, qr/ERROR:  57014: canceling statement due to user request/, "cancel $phase");
	both_clean($table, "cancel $phase");

	($transfer, $table) = start_transfer($phase);
	$b->safe_psql('postgres', 'SELECT pg_terminate_backend(' . transfer_pid() . ')');
	finished($transfer);
	both_clean($table, "terminate $phase");

	# What has all been sent already is whole, whatever becomes of the peer.
	next unless $phase eq 'while the peer computes';
	($transfer, $table) = start_transfer($phase);
	$a->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM sync_peers()');
	finished($transfer);
	like($transfer->{err}, qr/ERROR:  08006/, "the peer's worker is terminated $phase");
	both_clean($table, "terminated peer $phase");
}

# statement_timeout of the caller.
my $code = new_code($a, role => 'crawler');
fails_with($b, "SELECT sync_connect('$url', '$code') AS c \\gset\nSET statement_timeout = '500ms';\nSELECT sync_transfer(:c, 'slow');", '57014', qr/statement timeout/, 'statement_timeout');
both_clean('slow', 'statement_timeout');

# The caller's whole server stops at once while a transfer runs; so does the peer's.
{
	my ($transfer, $table) = start_transfer('while the peer computes');
	my $began = time;
	$b->stop('fast');
	cmp_ok(time - $began, '<', 20, 'a fast shutdown of the receiver is fast');
	finished($transfer);
	$b->start;
	both_clean($table, 'shutdown of the receiver');
	($transfer, $table) = start_transfer('while the peer computes');
	$began = time;
	$a->stop('fast');
	cmp_ok(time - $began, '<', 20, 'a fast shutdown of the sender is fast');
	finished($transfer);
	like($transfer->{err}, qr/ERROR:  08006/, 'the receiver sees it');
	$a->start;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher is back');
	both_clean($table, 'shutdown of the sender');
}

# A worker that is killed takes its server down for a moment, and nothing else.
{
	my ($transfer, $table) = start_transfer('while the peer computes');
	my $pid = $a->safe_psql('postgres', 'SELECT pid FROM sync_peers()');
	kill 'KILL', $pid;
	finished($transfer);
	like($transfer->{err}, qr/ERROR:  08006/, 'the receiver sees the death of a worker');
	wait_for(sub { my ($ret, $out) = $a->psql('postgres', 'SELECT worker_state FROM sync_get_config()'); $ret == 0 && $out eq 'running' }, 'the server has recovered');
	both_clean($table, 'death of a worker');
}

# The launcher is killed, or ends: it comes back, sessions that were there are gone only after a crash.
{
	my $lasting = new_code($a, ttl => '1 hour');
	my $launcher = $a->safe_psql('postgres', q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'sync launcher'));
	$a->safe_psql('postgres', "SELECT pg_terminate_backend($launcher)");
	wait_for(sub { $a->safe_psql('postgres', q(SELECT worker_state FROM sync_get_config())) eq 'stopped' }, 'the launcher has ended');
	fails_with($a, q(SELECT sync_create_session('send')), '55000', qr/launcher.*HINT/s, 'without a launcher no session');
	wait_for(sub { $a->safe_psql('postgres', q(SELECT worker_state FROM sync_get_config())) eq 'running' }, 'the launcher is back');
	is($b->safe_psql('postgres', "SELECT sync_connect('$url', '$lasting') > 0"), 't', 'a session survives its end');
}

# What was truncated or rewritten after the snapshot is refused, never sent as empty.
foreach my $change ('TRUNCATE fast', 'ALTER TABLE fast ALTER v TYPE varchar(100)', 'VACUUM FULL fast')
{
	$code = new_code($a);
	my $err = fails_with($b, <<"SQL", '55000', qr/truncated, rewritten/, $change);
SELECT sync_connect('$url', '$code') AS c \\gset
SELECT sync_remote_get_count(:c, 'slow');
\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c "$change"
SELECT sync_transfer(:c, 'fast');
SQL
	is($b->safe_psql('postgres', 'SELECT count(*) FROM fast'), '0', 'nothing has arrived');
}
$a->safe_psql('postgres', q(INSERT INTO fast SELECT i, 'v' || i FROM generate_series(1, 20000) i; CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); INSERT INTO parted VALUES (1)));
$code = new_code($a);
fails_with($b, <<"SQL", '55000', qr/partitioned anew/, 'a partition that was truncated');
SELECT sync_connect('$url', '$code') AS c \\gset
SELECT sync_remote_get_count(:c, 'slow');
\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c "TRUNCATE parted_1"
SELECT sync_remote_fetch(:c, 'parted');
SQL

# A lock that is not to be had there is given up after sync.lock_timeout.
my $locker = background($a, "BEGIN;\nLOCK TABLE fast;\nSELECT pg_sleep(300);\n");
wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM pg_locks WHERE relation = 'fast'::regclass AND mode = 'AccessExclusiveLock' AND granted)) eq '1' }, 'the table is locked');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'fast');)), '55P03', qr/lock timeout.*remote:/s, 'a table that is locked there');
$a->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'fast'::regclass AND mode = 'AccessExclusiveLock'));
finished($locker);

# Two databases that pull the same tables from each other wait for no one for ever.
$b->safe_psql('postgres', q(TRUNCATE fast; INSERT INTO fast SELECT i, 'mine' FROM generate_series(1, 2000) i; ANALYZE));
my $back = sync_url($b);
my ($code_a, $code_b) = (new_code($a), new_code($b));
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.lock_timeout = '1s'");
$b->reload;
my @gates = map { gate($_, 1) } $a, $b;
my $one = background($b, "BEGIN;\nLOCK TABLE fast;\nSELECT sync_connect('$url', '$code_a') AS c \\gset\nSELECT pg_advisory_lock_shared(1);\nSELECT 'b: ' || created FROM sync_transfer(:c, 'fast', strategy => 'overwrite');\nCOMMIT;\n");
my $two = background($a, "BEGIN;\nLOCK TABLE fast;\nSELECT sync_connect('$back', '$code_b') AS c \\gset\nSELECT pg_advisory_lock_shared(1);\nSELECT 'a: ' || created FROM sync_transfer(:c, 'fast', strategy => 'overwrite');\nCOMMIT;\n");
at_gate($_, 1, 'each has locked its table') foreach $a, $b;
open_gate($a, 1, $gates[0]);
open_gate($b, 1, $gates[1]);
finished($one);
finished($two);
like($one->{err} . $two->{err}, qr/55P03/, 'of two that wait for each other at least one gives up');

no_leftovers($b, 'receiver');
wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'no peer is left');
done_testing();
