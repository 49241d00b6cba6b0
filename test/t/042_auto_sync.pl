# What happens by itself: automatic syncs, expiries; and a trigger that starts a job.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use SyncTest;
use SyncPeers;
use Test::More;
use Time::HiRes qw(usleep);

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver');
$a->safe_psql('postgres', q(
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t VALUES (1, 'a');
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u VALUES (1);
CREATE TABLE large (id int PRIMARY KEY, v text);
INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 1000) i;
));
my %site = (good => peer_proxy($a), bad => peer_proxy($a));
add_receiver($b, $_, $site{$_}{url}) foreach 'good', 'bad';

sub sql { return $b->safe_psql('postgres', $_[0]); }
sub runs
{
	my ($name, $status) = @_;
	return sql("SELECT count(*) FROM sync_transfer_list WHERE connection = '$name' AND job @> '{\"automatic\": true}' AND status = '$status'");
}

# As often as the interval says, with the tables and the strategy of the connection. A peer that
# fails is tried again later, and holds up nobody.
$site{bad}{mode}->('refuse');
sql(q(SELECT sync_update_connection('bad', '{"auto_sync_enabled": true, "auto_sync_interval_minutes": 60}')));
sql(q(SELECT sync_update_connection('good', '{"auto_sync_enabled": true, "auto_sync_interval_minutes": 60, "auto_sync_tables": ["t"], "default_conflict_strategy": "overwrite"}')));
wait_for(sub { runs('good', 'completed') eq '1' }, 'the first automatic sync');
is(sql("SELECT v, to_regclass('u') FROM t"), 'a|', 'it has brought its tables');
is(sql(q(SELECT conflict_strategy, table_name, run_as = current_user FROM sync_transfer_list WHERE connection = 'good')), 'overwrite|t|t', 'by the strategy, as the role of the connection');
is(sql(q(SELECT auto_sync_due_at > now() + interval '30 min' FROM sync_connections WHERE name = 'good')), 't', 'the next one comes after the interval');
$a->safe_psql('postgres', q(UPDATE t SET v = 'b'));
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'good'; SELECT sync_update_connection('good', '{}')));
wait_for(sub { runs('good', 'completed') eq '2' }, 'the second one');
is(sql('SELECT v FROM t'), 'b', 'it has overwritten');
wait_for(sub { runs('bad', 'failed') eq '1' }, 'the other one has failed');
soon_is($b, q(SELECT auto_sync_failures, auto_sync_due_at BETWEEN now() - interval '1 min' AND now() + interval '1 min' FROM sync_connections WHERE name = 'bad'), '1|t', 'it will be tried again soon');
$site{bad}{mode}->('pass');
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'bad'; SELECT sync_update_connection('bad', '{}')));
wait_for(sub { runs('bad', 'completed') eq '1' }, 'with the peer back');
is(sql('SELECT id FROM u'), '1', 'without a list all tables are brought');
wait_for(sub { sql(q(SELECT auto_sync_failures FROM sync_connections WHERE name = 'bad')) eq '0' }, 'the failures are forgotten');

# One that has not ended makes no second one, and runs beside no other job of the connection.
my $slow = sql(q(SELECT sync_transfer_async('good', tables => '{large}', mode => 'full', max_rate => 500)));
wait_for(sub { sql("SELECT status FROM sync_transfers WHERE uuid = '$slow'") eq 'in_progress' }, 'a job runs');
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'good'; SELECT sync_update_connection('good', '{}')));
wait_for(sub { runs('good', 'pending') eq '1' }, 'the automatic one waits');
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'good'; SELECT sync_update_connection('good', '{}')));
usleep(1_000_000);
is(runs('good', 'pending') . runs('good', 'in_progress'), '10', 'and is only one');
sql("SELECT sync_cancel_transfer('$slow')");
wait_for(sub { runs('good', 'completed') eq '4' }, 'then it runs, and once more, for it was due again meanwhile');

# Suspended, or with the module disabled, nothing runs.
sql(q(SELECT sync_suspend_connection('bad')));
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'bad'; SELECT sync_update_connection('bad', '{}')));
sql(q(SELECT sync_disable()));
sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'good'; SELECT sync_update_connection('good', '{}')));
usleep(1_500_000);
is(runs('good', 'completed') . runs('bad', 'completed') . runs('bad', 'pending'), '410', 'nothing of what is stopped runs');
sql(q(SELECT sync_enable()));
wait_for(sub { runs('good', 'completed') eq '5' }, 'once enabled it goes on');
sql(q(SELECT sync_update_connection('good', '{"auto_sync_enabled": false}')));

# Connections and approvals expire on time.
sql(q(SELECT sync_create_connection('short', 'sender', 'http://localhost:1', '{"expires_at": "infinity"}')));
sql(q(UPDATE sync_connections SET status = 'active', expires_at = now() + interval '2 s' WHERE name = 'short'; SELECT sync_update_connection('short', '{}');
INSERT INTO sync_transfers (direction, table_name, status, requires_approval, approval_expires_at) VALUES ('send', 'x', 'pending_approval', true, now() + interval '1 s');));
wait_for(sub { sql(q(SELECT status FROM sync_connections WHERE name = 'short')) eq 'expired' }, 'a connection expires');
sql(q(UPDATE sync_connections SET status = 'active' WHERE name = 'short'; SELECT sync_update_connection('short', '{"expires_at": "2000-01-01 00:00:00+00"}')));
wait_for(sub { sql(q(SELECT status FROM sync_connections WHERE name = 'short')) eq 'expired' }, 'one that has expired at the zero of timestamps');
wait_for(sub { sql(q(SELECT status FROM sync_transfers WHERE table_name = 'x')) eq 'expired' }, 'an approval expires');
is(sql(q(SELECT (SELECT status FROM sync_connections WHERE name = 'short'), (SELECT status FROM sync_transfers WHERE table_name = 'x'))), 'expired|expired', 'on time');

# A trigger that starts a job, once for all rows of a transaction; and the command of a schedule.
sql(q(CREATE TABLE orders (id int PRIMARY KEY);
CREATE FUNCTION pull_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sync_transfer_async('good', tables => '{t}', strategy => 'merge');
    RETURN NULL;
END $$;
CREATE TRIGGER pull_prices AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION pull_prices();
UPDATE t SET v = 'local';
INSERT INTO orders SELECT generate_series(1, 100);));
wait_for(sub { sql(q(SELECT count(*) FROM sync_transfers WHERE conflict_strategy = 'merge' AND status = 'completed')) eq '1' }, 'the job of the trigger');
is(sql(q(SELECT count(*), (SELECT v FROM t) FROM sync_transfers WHERE conflict_strategy = 'merge')), '1|b', 'a hundred rows have started one');
sql(q(SELECT sync_transfer_async('good', tables => '{t}', strategy => 'overwrite')));
wait_for(sub { sql(q(SELECT count(*) FROM sync_transfers WHERE status IN ('pending', 'in_progress'))) eq '0' }, 'the command of a schedule');
is(sql(q(SELECT status FROM sync_transfers WHERE conflict_strategy = 'overwrite' AND job @> '{"automatic": false}')), 'completed', 'it ran');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
