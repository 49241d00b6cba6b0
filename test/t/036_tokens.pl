# A peer that comes with the token of a permanent connection: who is let in, to which database, and
# with what; stored connections on the side that pulls.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;
use Time::HiRes qw(time);

my $a = new_sync_node('sender', conf => <<'CONF');
sync.max_pending = 16
sync.max_connections = 10
sync.reconnect_grace = 1
CONF
my $b = new_sync_node('receiver');
my $url = sync_url($a);
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 500) i;
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE secret (id int PRIMARY KEY);
CREATE ROLE sharer;
GRANT SELECT ON t, other TO sharer;
SQL

# A sender connection with a token; settings as JSON, columns as SQL assignments.
sub connection { return add_sender($a, @_); }

sub connects { my ($token, $more, $to) = @_; $more //= ''; $to //= $url; return "SELECT sync_connect('$to', token => '$token'$more) AS c \\gset\n"; }
sub column { my ($name, $column) = @_; return $a->safe_psql('postgres', "SELECT $column FROM sync_connections WHERE name = '$name'"); }

# ---- the token -----------------------------------------------------------------------------------

my ($token, $name) = connection();
is($b->safe_psql('postgres', connects($token) . q(SELECT count(*) FROM sync_transfer(:c, 't');)), '1', 'a token lets its peer in');
is($b->safe_psql('postgres', 'SELECT count(*) FROM t'), '500', 'with what it may read');
is(column($name, 'downloads_used || last_connected_at::text'), column($name, "1 || last_connected_at::text"), 'a download is taken');
fails_with($b, connects($token) . q(SELECT * FROM sync_transfer(:c, 'secret');), '42501', qr/permission denied/, 'with the rights of run_as');
wait_for(sub { $a->safe_psql('postgres', q(SELECT records_downloaded, total_transfers, total_records_transferred, total_bytes_transferred > 0 FROM sync_connections)) eq '500|1|500|t' }, 'the counters');
is($a->safe_psql('postgres', q(SELECT direction, table_name, records_transferred, bytes_transferred > 0, status, requester_ip, initiated_by FROM sync_transfers)),
	'send|t|500|t|completed|127.0.0.1|sharer', 'the history');
fails_with($b, connects('A' x 43), '28P01', qr/invalid token/, 'an unknown token');
fails_with($b, connects($a->safe_psql('postgres', "SELECT auth_token_hash FROM sync_connections WHERE name = '$name'")), '28P01', qr/invalid token/, 'the hash of a token');

# Its session is seen where it is used, and has no code.
{
	my $peer = background($b, connects($token) . "SELECT sync_remote_get_count(:c, 't');\nSELECT pg_sleep(60);\n");
	soon_is($a, 'SELECT session, role, database, state FROM sync_peers()', column($name, 'uuid') . '|sharer|postgres|idle', 'the peer is shown');
	is($a->safe_psql('postgres', 'SELECT count(*) FROM sync_sessions()'), '0', 'and is no session of a code');
	is($a->safe_psql('postgres', 'SELECT active_sessions FROM sync_get_config()'), '0', 'nor counted as one');
	fails_with($a, "SELECT sync_delete_session('')", 'P0002', qr/not_found/, 'which the empty code does not name');
	$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()));
	finished($peer);
}

# ---- the database --------------------------------------------------------------------------------

$a->safe_psql('postgres', 'CREATE DATABASE shop');
$a->safe_psql('postgres', 'CREATE DATABASE bare');
$a->safe_psql('shop', q(CREATE EXTENSION sync; SELECT sync_enable(); CREATE TABLE goods (id int PRIMARY KEY); INSERT INTO goods VALUES (1); GRANT SELECT ON goods TO sharer));
my $shop = connection(db => 'shop', name => 'shop');
is($b->safe_psql('postgres', connects($shop, '', "$url/shop") . q(SELECT name FROM sync_remote_list_tables(:c);)), 'goods', 'the path of a URL names the database');
fails_with($b, connects($shop), '28P01', qr/invalid token.*sync\.database/s, 'without it, it is sync.database');
my %refused = (
	'a database that has not the token' => $url,
	'an unknown database' => "$url/nix",
	'a database without the extension' => "$url/bare",
	'a template' => "$url/template1",
);
foreach my $what (sort keys %refused)
{
	my $began = time;
	my $error = fails_with($b, connects($shop, '', $refused{$what}), '28P01', qr/invalid token/, $what);
	cmp_ok(time - $began, '>=', 1, "$what: after a delay");
}
$a->append_conf('postgresql.conf', "sync.database = 'shop'\n");
$a->restart;    # what is counted against this address is gone with it
wait_for(sub { $b->psql('postgres', connects($shop)) == 0 }, 'sync.database names the database');
is($b->safe_psql('postgres', connects($token, '', "$url/postgres") . q(SELECT sync_remote_get_count(:c, 't');)), '500', 'the path comes before it');
$a->safe_psql('postgres', 'ALTER DATABASE shop RENAME TO "s h/p"');
fails_with($b, connects($shop), '28P01', qr/invalid token/, 'a database that was renamed');
is($b->safe_psql('postgres', connects($shop, '', "$url/s%20h%2Fp") . q(SELECT sync_remote_get_count(:c, 'goods');)), '1', 'has its new name');
$a->safe_psql('s h/p', 'SELECT sync_disable()');
fails_with($b, connects($shop, '', "$url/s%20h%2Fp"), '28P01', qr/invalid token/, 'a disabled one');
$a->append_conf('postgresql.conf', "sync.database = 'postgres'\n");
$a->restart;

# ---- policies at the gate ------------------------------------------------------------------------

wait_for(sub { $b->psql('postgres', connects($token)) == 0 }, 'the server is there again');
my $hour = $a->safe_psql('postgres', q(SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::int));
my ($before, $after) = (($hour + 22) % 24, ($hour + 2) % 24);
my %gate = (
	'suspended' => [ q(status = 'suspended'), '42501', qr/not active/ ],
	'pending' => [ q(status = 'pending'), '42501', qr/not active/ ],
	'expired' => [ q(expires_at = now() - interval '1 second'), '42501', qr/expired/ ],
	'downloads' => [ 'max_downloads = 1, downloads_used = 1', '53400', qr/download limit reached/ ],
	'records' => [ 'max_records_total = 10, records_downloaded = 10', '53400', qr/record limit reached/ ],
	'another network' => [ q(ip_whitelist = '{192.0.2.0/24, 2001:db8::/32}'), '42501', qr/IP address not allowed/ ],
	'other hours' => [ "allowed_hours_start = $after, allowed_hours_end = $before", '42501', qr/outside allowed hours/ ],
	'a role that is gone' => [ q(run_as = 'nobody_any_more'), '42501', qr/role of the connection does not exist/ ],
);
foreach my $what (sort keys %gate)
{
	my ($set, $state, $text) = @{ $gate{$what} };
	my ($t, $n) = connection(set => $set);
	my $used = column($n, 'downloads_used');
	fails_with($b, connects($t), $state, $text, "refused: $what");
	is(column($n, 'downloads_used'), $used, "$what: no download is taken");
}
my %let_in = (
	'not expired' => q(expires_at = now() + interval '1 hour'),
	'this network' => q(ip_whitelist = '{127.0.0.0/8}'),
	'these hours, perhaps past midnight' => "allowed_hours_start = $before, allowed_hours_end = $after",
	'one end of the hours' => "allowed_hours_start = $after",
	'a last download' => 'max_downloads = 2, downloads_used = 1',
);
foreach my $what (sort keys %let_in)
{
	my $t = connection(set => $let_in{$what});
	is($b->safe_psql('postgres', connects($t) . q(SELECT sync_remote_get_count(:c, 't');)), '500', "let in: $what");
}
$a->safe_psql('postgres', 'CREATE ROLE passing');
my ($dropped) = connection(role => 'passing');
$a->safe_psql('postgres', 'DROP ROLE passing');
fails_with($b, connects($dropped), '42501', qr/role of the connection does not exist/, 'a role that was dropped');

# The download password.
my ($locked, $locked_name) = connection(settings => '{"download_password": "sesame"}');
fails_with($b, connects($locked), '28P01', qr/invalid password/, 'without the password');
fails_with($b, connects($locked, q(, password => 'Sesame')), '28P01', qr/invalid password/, 'with a wrong one');
is($b->safe_psql('postgres', connects($locked, q(, password => 'sesame')) . q(SELECT sync_remote_get_count(:c, 't');)), '500', 'with the right one');
is(column($locked_name, 'downloads_used'), '1', 'the wrong ones took no download');
ok(log_contains($a, qr/reason="wrong password" wrong_guesses=\d/), 'they are counted as guesses');
ok(!log_contains($a, qr/sesame|\Q$token\E|\Q$locked\E/i), 'no secret is in the log');

# Two at the same time, one download: one gets in, every time.
{
	my $taken = 0;
	foreach my $round (1 .. 5)
	{
		my ($t) = connection(set => 'max_downloads = 1');
		my @pullers = map { background($b, connects($t) . q(SELECT 'count', sync_remote_get_count(:c, 't');)) } 1 .. 4;
		finished($_) foreach @pullers;
		my @in = grep { $_->{out} =~ /count\|500/ } @pullers;
		is(scalar @in, 1, "round $round: one of four has the only download");
		is(scalar(grep { $_->{err} =~ /53400: download limit reached/ } @pullers), 3, 'the others are told so');
	}
}

# A module that is disabled while a peer waits at the gate lets it in no more.
{
	my ($t, $n) = connection();
	my $gate = gate($a, 1);
	my $holder = background($a, "BEGIN;\nSELECT FROM sync_connections WHERE name = '$n' FOR UPDATE;\nSELECT pg_advisory_lock_shared(1);\nCOMMIT;\n");
	at_gate($a, 1, 'its row is locked');
	my $peer = background($b, connects($t) . q(SELECT 'count', sync_remote_get_count(:c, 't');));
	wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync worker' AND wait_event_type = 'Lock')) eq '1' }, 'a peer waits for it');
	$a->safe_psql('postgres', 'SELECT sync_disable()');
	open_gate($a, 1, $gate);
	finished($_) foreach $holder, $peer;
	is($peer->{out}, '', 'disabled while a peer comes: it reads nothing');
	like($peer->{err}, qr/ERROR:  28P01: invalid token/, 'it is refused');
	is(column($n, 'downloads_used'), '0', 'and has taken no download');
	$a->safe_psql('postgres', 'SELECT sync_enable()');
}

# ---- stored connections --------------------------------------------------------------------------

$b->safe_psql('postgres', <<"SQL");
CREATE ROLE puller LOGIN;
CREATE ROLE stranger LOGIN;
GRANT EXECUTE ON FUNCTION sync_connect, sync_remote_get_count, sync_pull TO puller, stranger;
GRANT CREATE ON SCHEMA public TO puller;
ALTER SYSTEM SET sync.allowed_peers = 'localhost';
SELECT pg_reload_conf();
SELECT FROM sync_create_connection('head office', 'receiver', '$url', '{"download_password": "sesame"}', token => '$locked', run_as => 'puller');
UPDATE sync_connections SET status = 'active' WHERE name = 'head office';
SQL
my $uuid = $b->safe_psql('postgres', 'SELECT uuid FROM sync_connections');
is($b->safe_psql('postgres', "SELECT password FROM sync_secrets"), 'sesame', 'the password is stored');
my $stored = sub { my ($role, $which) = @_; return "SET ROLE $role; SELECT sync_connect('$which') AS c \\gset\n"; };
foreach my $which ('head office', $uuid)
{
	is($b->safe_psql('postgres', $stored->('puller', $which) . q(SELECT sync_remote_get_count(:c, 't');)), '500', 'by ' . ($which eq $uuid ? 'uuid' : 'name'));
}
is($b->safe_psql('postgres', 'DROP TABLE t') // '', '', 'the table is gone');
is($b->safe_psql('postgres', q(SET ROLE puller; SELECT created FROM sync_pull('head office', tables => '{t}'))), '500', 'sync_pull by name');
fails_with($b, $stored->('stranger', 'head office'), '42501', qr/permission denied for connection.*runs as role "puller"/s, 'another role');
fails_with($b, $stored->('puller', 'nix'), 'P0002', qr/not_found/, 'an unknown name');
fails_with($b, q(SELECT sync_connect('head office', 'ABCDEFGH')), '22023', qr/its own token/, 'a code besides');
$b->safe_psql('postgres', q(SELECT FROM sync_suspend_connection('head office')));
fails_with($b, $stored->('puller', 'head office'), '42501', qr/not active.*suspended/s, 'a suspended one');
$b->safe_psql('postgres', q(SELECT FROM sync_create_connection('branch', 'sender', 'https://branch.example')));
fails_with($b, q(SELECT sync_connect('branch')), '55000', qr/sending side/, 'a connection of the other direction');

no_leftovers($a, 'in the end');
$_->stop foreach $a, $b;
done_testing();
