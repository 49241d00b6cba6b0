# What is done to a connection is told to the other site, sooner or later; what expires, expires.
use strict;
use warnings;
use FakePeer;
use SyncTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');
my $at_b = sync_url($b) . '/postgres';
$b->safe_psql('postgres', q(SELECT sync_set_incoming_mode('auto_accept')));

sub value { my ($node, $sql) = @_; return $node->safe_psql('postgres', $sql); }
sub status { return value($_[0], q(SELECT coalesce(string_agg(status, ','), 'none') FROM sync_connection_list)); }
sub becomes { my ($node, $status, $what) = @_; ok(wait_for(sub { status($node) eq $status }, "$what: " . $node->name . " is $status"), $what); }
sub quiet { my ($node) = @_; return wait_for(sub { value($node, 'SELECT count(*) FROM sync_notices') eq '0' }, 'all is told on ' . $node->name); }
sub pair
{
	value($_, 'DELETE FROM sync_connections; DELETE FROM sync_notices') foreach $a, $b;
	is( value($a, "SET client_min_messages = error; SELECT status, remote_status FROM sync_create_connection('c', 'sender', '$at_b')"),
		'active|active', 'a pair');
}

# Both ways, and back again.
pair();
foreach my $case ([ $a, 'c', $b ], [ $b, 'From: c', $a ])
{
	my ($here, $name, $there) = @$case;
	value($here, "SELECT sync_suspend_connection('$name', 'for a while')");
	becomes($there, 'suspended', 'a suspension is passed on');
	is(value($there, 'SELECT suspended_by, suspended_reason FROM sync_connection_list'), '|by the other site', 'as what it is');
	value($here, "SELECT sync_reactivate_connection('$name')");
	becomes($there, 'active', 'its end, too');
	quiet($here);
	is(value($there, 'SELECT count(*) FROM sync_notices'), '0', 'without an echo');
}

# Not what was rolled back.
value($a, q(BEGIN; SELECT sync_suspend_connection('c'); ROLLBACK));
value($a, q(BEGIN; SAVEPOINT s; SELECT sync_suspend_connection('c'); ROLLBACK TO s; COMMIT));
is(value($a, 'SELECT count(*) FROM sync_notices'), '0', 'nothing is told of what did not happen');

# What was ended on both sides has to be taken up on both.
value($a, q(SELECT sync_suspend_connection('c')));
becomes($b, 'suspended', 'suspended here');
value($b, q(SELECT sync_suspend_connection('From: c', 'also here')));
quiet($b);
value($a, q(SELECT sync_reactivate_connection('c')));
quiet($a);
is(status($b), 'suspended', 'the other site keeps its own suspension');
is(value($a, q(SELECT sync_verify_connection('c'))), 'suspended', 'which can be seen');
value($b, q(SELECT sync_reactivate_connection('From: c')));
quiet($b);
is(status($a) . status($b), 'activeactive', 'until it ends that itself');

# For good.
value($b, q(SELECT sync_revoke_connection('From: c')));
becomes($a, 'revoked', 'revoked by the receiver');
pair();
value($a, q(SELECT sync_delete_connection('c')));
becomes($b, 'none', 'deleted by the sender');
is(value($b, 'SELECT count(*) FROM sync_secrets'), '0', 'with its secrets');
quiet($a);
pair();
value($b, q(SELECT sync_delete_connection('From: c')));
becomes($a, 'none', 'deleted by the receiver');
quiet($b);

# The site is offline: told when it is back, and only what is so then.
pair();
$b->stop;
value($a, q(SELECT sync_suspend_connection('c')));
wait_for(sub { value($a, q(SELECT attempts > 0 AND last_error LIKE '%could not connect%' FROM sync_notices)) eq 't' }, 'it was tried');
$b->start;
becomes($b, 'suspended', 'healed');
quiet($a);
$b->stop;
value($a, q(SELECT sync_reactivate_connection('c')));
value($a, q(SELECT sync_revoke_connection('c')));
is(value($a, 'SELECT string_agg(action, \',\') FROM sync_notices'), 'revoked', 'the last word counts');
$a->restart;
$b->start;
becomes($b, 'revoked', 'also after a restart');
quiet($a);

# A site that is silent holds up nothing, and no transaction is open meanwhile.
my $silent = fake_peer(sub { sleep 100 });
value($a, "DELETE FROM sync_connections; SELECT sync_create_connection('silent', 'receiver', 'http://localhost:$silent', token => 's'); SELECT sync_suspend_connection('silent')");
wait_for(sub { value($a, q(SELECT attempts FROM sync_notices)) eq '1' }, 'the silent site is being told');
soon_is($a, q(SELECT (SELECT concat(attempts, last_error) FROM sync_notices), count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sync%' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)),
	'1|0', 'without a transaction');
value($a, "SET client_min_messages = error; SELECT sync_create_connection('c', 'sender', '$at_b', token => 'another'); SELECT sync_suspend_connection('c')");
wait_for(sub { value($a, q(SELECT count(*) FROM sync_notices WHERE action = 'suspended' AND site_url LIKE '%/postgres')) eq '0' }, 'the other one is told');
value($a, 'DELETE FROM sync_connections; DELETE FROM sync_notices');

# To whom one may speak is decided for the role that has made the change.
pair();
value($a, 'CREATE ROLE clerk; GRANT EXECUTE ON FUNCTION sync_suspend_connection TO clerk; SET ROLE clerk; SELECT sync_suspend_connection(\'c\')');
wait_for(sub { value($a, q(SELECT last_error IS NOT NULL FROM sync_notices)) eq 't' }, 'and has failed');
is(status($b), 'active', 'an ordinary role reaches no site');
$a->append_conf('postgresql.conf', "sync.allowed_peers = 'localhost'");
$a->reload;
becomes($b, 'suspended', 'where that is allowed, it does');

# While the module is disabled nothing is told; afterwards it is.
pair();
value($a, q(SELECT sync_disable(); SELECT sync_suspend_connection('c')));
is(value($a, 'SELECT attempts FROM sync_notices'), '0', 'disabled: not told');
value($a, 'SELECT sync_enable()');
becomes($b, 'suspended', 'enabled: told');

# Not even by a worker that was telling another site when the module was disabled.
pair();
my $answer_now = PostgreSQL::Test::Utils::tempdir() . '/answer';
my $slow = fake_peer(sub { my ($c) = @_; read_head($c); select(undef, undef, undef, 0.1) until -e $answer_now; print $c http_body(200, '{"success": true}'); });
value($a, "SELECT sync_create_connection('slow', 'receiver', 'http://localhost:$slow', token => 's'); SELECT sync_suspend_connection('slow')");
wait_for(sub { value($a, q(SELECT attempts FROM sync_notices)) eq '1' }, 'the slow site is being told');
value($a, q(SELECT sync_disable(); SELECT sync_suspend_connection('c')));
append_to_file($answer_now, '');
wait_for(sub { value($a, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker')) eq '0' }, 'the worker has ended');
is(value($a, q(SELECT attempts FROM sync_notices WHERE site_url LIKE '%/postgres')), '0', 'disabled meanwhile: not told, either');
value($a, 'SELECT sync_enable()');
becomes($b, 'suspended', 'enabled again: told');

# A site hears one thing after the other: what it hears last is what is so, also where it is slow.
value($a, 'DELETE FROM sync_connections; DELETE FROM sync_notices');
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/heard", '');
my $listener = fake_peer(sub {
	my ($c) = @_;
	my $request = read_head($c);
	while ($request !~ /"status":"\w+"/) { sysread($c, my $more, 4096) or return; $request .= $more; }
	my ($status) = $request =~ /"status":"(\w+)"/;
	append_to_file("$dir/heard", "$status\n");
	select(undef, undef, undef, 0.1) until $status ne 'suspended' || -e "$dir/answer";
	print $c http_body(200, '{"success": true}');
});
my $heard = sub { slurp_file("$dir/heard") };
value($a, "SELECT sync_create_connection('l', 'receiver', 'http://localhost:$listener', token => 'l'); SELECT sync_suspend_connection('l')");
wait_for(sub { $heard->() eq "suspended\n" }, 'it hears of a suspension');
value($a, q(SELECT sync_reactivate_connection('l')));
usleep(3_000_000);
is($heard->(), "suspended\n", 'and of nothing else before it has answered');
append_to_file("$dir/answer", '');
wait_for(sub { $heard->() =~ /active/ }, 'then it hears of its end');
is($heard->(), "suspended\nactive\n", 'last of what is so');
quiet($a);

# What has a time expires by itself.
pair();
value($a, q(SELECT sync_update_connection('c', jsonb_build_object('expires_at', clock_timestamp() + '2 s'))));
is(value($a, q(SELECT status = 'active' OR expires_at < clock_timestamp() FROM sync_connections)), 't', 'not yet expired');
becomes($a, 'expired', 'expired');
is(value($b, q(SELECT sync_verify_connection('From: c'))), 'expired', 'as the other site can see');
fails_with($a, q(SELECT sync_reactivate_connection('c')), '55000', qr/would expire at once/, 'its time is over');
is(value($a, q(SELECT status FROM sync_update_connection('c', '{"expires_at": null, "max_downloads": 5}'))), 'expired', 'its time is prolonged');
is(value($a, q(SELECT status FROM sync_reactivate_connection('c'))), 'active', 'and it goes on');
value($a, q(UPDATE sync_connections SET downloads_used = 5; SELECT sync_update_connection('c', '{}')));
becomes($a, 'expired', 'used up');
value($a, q(INSERT INTO sync_transfers (direction, table_name, status, requires_approval, approval_expires_at)
	VALUES ('send', 't', 'pending_approval', true, clock_timestamp() + '2 s'); SELECT sync_update_connection('c', '{}')));
ok(wait_for(sub { value($a, 'SELECT status FROM sync_transfers') eq 'expired' }, 'the approval expires'), 'an approval that nobody gave');

no_leftovers($_, $_->name) foreach $a, $b;
done_testing();
