# What was approved and taken comes to an end in the history, however its peer or its worker ends;
# and it lets through the rows of one snapshot, no more.
use strict;
use warnings;
use lib 'perl';
use NativeClient;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_sync_node('sender', conf => "sync.max_pending = 16\nsync.max_connections = 12\nsync.max_sessions = 2\nsync.reconnect_grace = 10min\n");
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(<<'SQL');
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t SELECT generate_series(1, 5);
CREATE ROLE sharer;
GRANT SELECT ON t TO sharer;
SQL
my $token = sql(q(SELECT token FROM sync_create_connection('site', 'sender', 'https://site.example', '{"approval_mode": "require_approval"}', run_as => 'sharer')));
sql(q(SELECT FROM sync_approve_connection('site')));

my ($open, $rows) = ('{"tables": ["t"]}', '{"table": "t", "columns": []}');
sub state_of { return sql("SELECT status, error_message, completed_at IS NOT NULL, worker_pid IS NULL FROM sync_transfers WHERE uuid = '$_[0]'"); }

# A peer whose request was approved, and which has come for it; with the uuid of the transfer.
sub taken
{
	wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '0' }, 'no other peer is left');
	my $peer = NativeClient->connected($node, token => $token);
	is(($peer->ask('POST', 'open', $open))[0], 403, 'the table has to be approved');
	my $transfer = sql(q(SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'));
	sql("SELECT FROM sync_approve_transfer('$transfer')");
	is(($peer->ask('POST', 'open', $open))[0], 200, 'it is opened then');
	is(sql("SELECT status FROM sync_transfers WHERE uuid = '$transfer'"), 'in_progress', 'and the approval taken');
	return ($peer, $transfer);
}
# Somebody looks after what is due.
sub looked { sql(q(SELECT FROM sync_update_connection('site', '{"metadata": {}}'))); usleep(2_000_000); }

# A place that only waits for a peer to come back is another peer's of the same connection, before
# there is none at all.
{
	my $other = sql(q(SELECT token FROM sync_create_connection('other', 'sender', 'https://other.example', run_as => 'sharer')));
	sql(q(SELECT FROM sync_approve_connection('other')));
	my @gone = map { NativeClient->connected($node, token => $token) } 1 .. 2;
	eval { NativeClient->connected($node, token => $token) };
	like($@, qr/^connect: 503 .*too many sessions/, 'all places are taken');
	foreach (@gone)
	{
		$_->hang_up;
		wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq ($_ == $gone[0] ? '1' : '0') }, 'a peer is gone');
	}
	eval { NativeClient->connected($node, token => $other) };
	like($@, qr/^connect: 503 .*too many sessions/, 'for a peer of another connection they are taken yet');
	my $new = NativeClient->connected($node, token => $token);
	is(($new->ask('GET', 'session'))[0], 200, 'one of the same has one');
	my @back = map { NativeClient->dial($node, $_->{ticket}) } @gone;
	is(join(' ', map { ($_->ask('GET', 'session'))[0] } @back), '401 200', 'that of the peer which has been away for longest');
	is(($_->ask('DELETE', 'connect'))[0], 204, 'goodbye') for ($new, $back[1]);
	wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '0' }, 'all are gone');
}

# While its peer is there it is left alone.
my ($peer, $transfer) = taken();
looked();
is(state_of($transfer), 'in_progress||f|f', 'what a worker has taken is its own');
fails_with($node, "SELECT sync_cancel_transfer('$transfer')", '55000', qr/is being served to its peer.*HINT:  End the peer/s, 'cancelling it');
is(($peer->ask('POST', 'rows', $rows))[0], 200, 'the rows');
wait_for(sub { state_of($transfer) eq 'completed||t|t' }, 'it is completed');

# Who reads again without opening again is given the snapshot that was approved, and nothing newer.
sql('INSERT INTO t VALUES (6)');
my $again = ($peer->ask('POST', 'rows', $rows))[1];
is(scalar(() = $again =~ /"id":/g), 5, 'the same rows again');
is(($peer->ask('POST', 'open', $open))[0], 403, 'to open it is to begin anew');
is(($peer->ask('POST', 'rows', $rows))[0], 403, 'after which nothing is left of the old one');
sql(q(DELETE FROM sync_transfers WHERE status = 'pending_approval'));
$peer->hang_up;
($peer, $transfer) = taken();
is(($peer->ask('POST', 'rows', $rows))[0], 200, 'the rows');
$peer->hang_up;
wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '0' }, 'its peer has gone');
my $back = NativeClient->dial($node, $peer->{ticket});
is(($back->ask('POST', 'rows', $rows))[0], 403, 'a connection with the same ticket has another snapshot, and needs another approval');
sql(q(DELETE FROM sync_transfers WHERE status = 'pending_approval'));
$back->hang_up;

# The peer goes, or its worker is ended.
($peer, $transfer) = taken();
$peer->hang_up;
wait_for(sub { state_of($transfer) eq 'failed|the peer left before the rows were sent|t|t' }, 'a peer that goes without the rows');
($peer, $transfer) = taken();
sql('SELECT pg_terminate_backend(pid) FROM sync_peers()');
wait_for(sub { state_of($transfer) eq 'failed|the server ended the connection|t|t' }, 'a worker that is terminated');
is(state_of($transfer), 'failed|the server ended the connection|t|t', 'has left word');
$peer->hang_up;

# Its worker is ended before it knows that it has taken what was approved.
{
	wait_for(sub { sql('SELECT count(*) FROM sync_peers()') eq '0' }, 'no other peer is left');
	sql(q(CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(4); RETURN NEW; END $$;
		CREATE TRIGGER slow BEFORE UPDATE ON sync_transfers FOR EACH ROW WHEN (OLD.status = 'approved') EXECUTE FUNCTION slow()));
	sql('DELETE FROM sync_notices');
	looked();    # nothing else is due that anybody would look after
	my $hasty = NativeClient->connected($node, token => $token);
	is(($hasty->ask('POST', 'open', $open))[0], 403, 'the table has to be approved');
	my $transfer = sql(q(SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'));
	sql("SELECT FROM sync_approve_transfer('$transfer')");
	print { $hasty->{handle} } join("\r\n", 'POST /sync/v1/open HTTP/1.1', 'Host: x', "Authorization: Bearer $hasty->{ticket}", 'Content-Length: ' . length $open, '', $open);
	wait_for(sub { sql(q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync writer' AND wait_event = 'PgSleep')) eq '1' }, 'it is being written');
	sql('SELECT pg_terminate_backend(pid) FROM sync_peers()');
	wait_for(sub { state_of($transfer) =~ /^failed/ }, 'somebody looks after it');
	is(state_of($transfer), 'failed|the server ended before the transfer|t|t', 'taken by nobody');
	$hasty->hang_up;
	sql('DROP TRIGGER slow ON sync_transfers');
}

# The server crashes, or is stopped at once.
($peer, $transfer) = taken();
my $offset = -s $node->logfile;
kill 'KILL', sql('SELECT pid FROM sync_peers()');
wait_for(sub { log_contains($node, qr/all server processes terminated; reinitializing/, $offset) }, 'the server restarts');
$node->poll_query_until('postgres', 'SELECT true');
wait_for(sub { state_of($transfer) eq 'failed|the server ended before the transfer|t|t' }, 'a worker that is killed');
is(state_of($transfer), 'failed|the server ended before the transfer|t|t', 'it has failed after the recovery');
wait_for(sub { sql('SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher is back');
$peer->hang_up;
($peer, $transfer) = taken();
$node->stop('immediate');
$node->start;
wait_for(sub { state_of($transfer) eq 'failed|the server ended before the transfer|t|t' }, 'a server that is stopped at once');
is(state_of($transfer), 'failed|the server ended before the transfer|t|t', 'it has failed after the start');
is(sql(q(SELECT sync_purge_transfers('0 s') > 0)), 't', 'which can be purged');
is(sql(q(SELECT count(*) FROM sync_transfers WHERE status = 'in_progress')), '0', 'nothing is left under way');

$node->stop;
done_testing();
