# Transfers that somebody has to approve: the peer waits for it, and goes on, or is told what became
# of its request.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_pending = 16\nsync.max_connections = 12\n");
my $b = new_sync_node('receiver');
my $url = sync_url($a);
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 100) i;
CREATE TABLE u (id int PRIMARY KEY);
INSERT INTO u VALUES (1);
CREATE TABLE free (id int PRIMARY KEY);
INSERT INTO free VALUES (1);
CREATE ROLE sharer;
GRANT SELECT ON t, u, free TO sharer;
SQL

sub connection { return add_sender($a, settings => $_[0]); }

sub connects { my ($token, $timeout) = @_; return "SELECT sync_connect('$url', token => '$token', timeout => '$timeout') AS c \\gset\n"; }
sub transfers { my ($columns, $more) = @_; return $a->safe_psql('postgres', "SELECT $columns FROM sync_transfers " . ($more // 'ORDER BY inserted_at')); }
sub pending { my ($count) = @_; return wait_for(sub { transfers('count(*)', q(WHERE status = 'pending_approval')) eq $count }, "$count wait for approval"); }
sub fresh { $a->safe_psql('postgres', 'DELETE FROM sync_transfers'); $b->safe_psql('postgres', 'DROP TABLE IF EXISTS t, u, free'); }

# Approving lets the waiting peer go on.
my ($token, $name) = connection('{"approval_mode": "require_approval"}');
my $peer = background($b, connects($token, '2 min') . q(SELECT created FROM sync_transfer(:c, 't');));
pending(1);
is(transfers(q(direction, table_name, requires_approval, approval_expires_at BETWEEN now() + interval '23 hours' AND now() + interval '25 hours', requester_ip)),
	'send|t|t|t|127.0.0.1', 'the request is in the history');
$a->safe_psql('postgres', q(INSERT INTO t VALUES (101, 'new')));
$a->safe_psql('postgres', 'SELECT FROM sync_approve_transfer((SELECT uuid FROM sync_transfers))');
is(finished($peer), "101\n", 'approving lets the peer go on, with the rows as they are then');
like($peer->{err}, qr/NOTICE:.*waiting for approval of the peer/, 'it has said that it waits');
is(scalar(() = $peer->{err} =~ /waiting for approval/g), 1, 'once');
wait_for(sub { transfers('status, records_transferred, approved_by IS NOT NULL') eq 'completed|101|t' }, 'the request is completed');

# It was for one transfer. One that nobody decides about in time ends; what is approved then, the
# next one gets.
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/waiting for approval.*HINT/s, 'the next one waits again');
pending(1);
$a->safe_psql('postgres', q(SELECT FROM sync_approve_transfer((SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'))));
is($b->safe_psql('postgres', connects($token, '3 s') . q(SELECT skipped FROM sync_transfer(:c, 't', strategy => 'overwrite', verify => true);)), '101', 'what was approved meanwhile, the next one gets, with its verification');
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_remote_fetch(:c, 't');), '42501', qr/waiting for approval/, 'a page has to be approved, too');
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_remote_fetch(:c, 't');), '42501', qr/waiting for approval/, 'and again');
pending(1);

# On one connection, too, each call is a transfer of its own.
fresh();
$peer = background($b, connects($token, '2 min') . q(SELECT created FROM sync_transfer(:c, 't'); SELECT skipped FROM sync_transfer(:c, 't');));
foreach my $round (1, 2)
{
	pending(1);
	$a->safe_psql('postgres', q(SELECT FROM sync_approve_transfer((SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'))));
	wait_for(sub { transfers('count(*)', q(WHERE status = 'completed')) eq $round }, "transfer $round is completed");
}
is(finished($peer), "101\n101\n", 'two transfers, two approvals');

# Denied, and expired.
fresh();
$peer = background($b, connects($token, '2 min') . q(SELECT created FROM sync_transfer(:c, 't');));
pending(1);
$a->safe_psql('postgres', q(SELECT FROM sync_deny_transfer((SELECT uuid FROM sync_transfers), 'not on a Sunday')));
finished($peer);
like($peer->{err}, qr/ERROR:  42501: transfer of table "t" was denied.*not on a Sunday/s, 'a denial is told, with its reason');
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/waiting for approval/, 'who asks then asks anew');
is(transfers('string_agg(status, $$,$$ ORDER BY inserted_at)', ''), 'denied,pending_approval', 'with a request of its own');
$a->safe_psql('postgres', q(SELECT FROM sync_deny_transfer((SELECT uuid FROM sync_transfers WHERE status = 'pending_approval'))));
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/was denied.*No reason/s, 'who has gone is told when it comes back');
fresh();
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/waiting for approval/, 'another');
$a->safe_psql('postgres', q(UPDATE sync_transfers SET approval_expires_at = now() - interval '1 second'));
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/approval for table "t" has expired/, 'expired is not denied');
is(transfers('status'), 'expired', 'and is so in the history');
fails_with($b, connects($token, '3 s') . q(SELECT * FROM sync_transfer(:c, 't');), '42501', qr/waiting for approval/, 'after which one asks anew');

# By table; all tables of a call are asked for together.
fresh();
($token, $name) = connection('{"approval_mode": "per_table", "auto_approve_tables": ["free"]}');
is($b->safe_psql('postgres', connects($token, '3 s') . q(SELECT created FROM sync_transfer(:c, 'free');)), '1', 'a table that needs no approval');
$peer = background($b, connects($token, '2 min') . q(SELECT count(*) FROM sync_transfer_all(:c);));
pending(2);
$a->safe_psql('postgres', q(SELECT sync_approve_transfer(uuid) FROM sync_transfers WHERE status = 'pending_approval'));
is(finished($peer), "3\n", 'two tables of a call are asked for together, and come together');
wait_for(sub { transfers('count(*)', q(WHERE status = 'completed' AND requires_approval)) eq '2' }, 'both are completed');

# Two peers, one approval: one of them has it.
fresh();
my @peers = map { background($b, connects($token, '2 min') . q(SELECT count(*) FROM sync_remote_fetch(:c, 't', 500);)) } 1 .. 2;
wait_for(sub { transfers('count(*)', '') ne '0' }, 'it is asked for');
wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '2' }, 'two are there');
foreach my $round (1, 2)
{
	wait_for(sub { transfers('count(*)', q(WHERE status = 'pending_approval')) ne '0' }, 'a request waits');
	$a->safe_psql('postgres', q(SELECT FROM sync_approve_transfer((SELECT uuid FROM sync_transfers WHERE status = 'pending_approval' LIMIT 1))));
	wait_for(sub { transfers('count(*)', q(WHERE status = 'completed')) eq $round }, "one peer has it: $round");
}
is(finished($_), "101\n", 'both have come in turn') foreach @peers;

# Waiting can be cancelled.
fresh();
fails_with($b, connects($token, '2 min') . q(SET statement_timeout = '2s'; SELECT * FROM sync_transfer(:c, 't');), '57014', qr/statement timeout/, 'a wait that is cancelled');

no_leftovers($b, 'in the end');
no_leftovers($a, 'in the end');
$_->stop foreach $a, $b;
done_testing();
