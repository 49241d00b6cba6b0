# What a permanent connection allows, looked at at every request of its peer: tables, pages, records,
# rate, addresses, hours, expiry; the end of a connection in the middle of a transfer.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('sender', conf => <<'CONF');
sync.max_pending = 16
sync.max_connections = 12
sync.reconnect_grace = 1
CONF
my $b = new_sync_node('receiver');
my $url = sync_url($a);
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v text);
INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 5000) i;
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO other VALUES (1);
CREATE TABLE hidden (id int PRIMARY KEY);
CREATE TABLE none (id int PRIMARY KEY);
CREATE TABLE big (id int PRIMARY KEY, v text);
INSERT INTO big SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 300000) i;
CREATE ROLE sharer;
CREATE ROLE other_sharer;
GRANT SELECT ON t, other, hidden, none, big TO sharer;
SQL

sub connection { my ($settings, $set) = @_; return add_sender($a, settings => $settings, set => $set); }

sub connects { my ($token, $more) = @_; $more //= ''; return "SELECT sync_connect('$url', token => '$token'$more) AS c \\gset\n"; }
sub column { my ($name, $column) = @_; return $a->safe_psql('postgres', "SELECT $column FROM sync_connections WHERE name = '$name'"); }
sub pages { my ($limit, $from, $to) = @_; return join '', map { "SELECT count(*) FROM sync_remote_fetch(:c, 't', $limit, " . $limit * $_ . ");\n" } $from .. $to; }
# What is queued has been written.
sub settled { my ($name, $records) = @_; return wait_for(sub { column($name, 'records_downloaded') eq $records }, "$records records are counted"); }

# ---- tables and pages ----------------------------------------------------------------------------

my ($token, $name) = connection('{"allowed_tables": ["t", "hidden"], "excluded_tables": ["hidden"], "max_records_per_request": 100}');
is($b->safe_psql('postgres', connects($token) . q(SELECT string_agg(name, ',') FROM sync_remote_list_tables(:c);)), 't', 'only shared tables are listed');
foreach my $table ('other', 'hidden', 'public.other', 'nix')
{
	foreach my $call ('sync_remote_fetch', 'sync_remote_get_schema', 'sync_remote_get_count', 'sync_transfer')
	{
		fails_with($b, connects($token) . "SELECT $call(:c, '$table');", '42501', qr/access denied to table/, "$call of $table");
	}
}
# A partition is part of what is excluded, also where it is named; one may be named without the whole.
$a->safe_psql('postgres', q(CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE half PARTITION OF whole FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
	CREATE TABLE piece PARTITION OF half FOR VALUES FROM (0) TO (10); INSERT INTO whole VALUES (1); GRANT SELECT ON whole, half, piece TO sharer));
my ($parted) = connection('{"excluded_tables": ["whole"]}');
foreach my $table ('whole', 'half', 'piece')
{
	foreach my $call ('sync_remote_fetch', 'sync_remote_get_schema', 'sync_remote_get_count', 'sync_transfer')
	{
		fails_with($b, connects($parted) . "SELECT $call(:c, '$table');", '42501', qr/access denied to table/, "$call of $table, which is excluded");
	}
}
($parted) = connection('{"allowed_tables": ["piece"]}');
is($b->safe_psql('postgres', connects($parted) . q(SELECT count(*) FROM sync_remote_fetch(:c, 'piece');)), '1', 'a partition that is shared');
fails_with($b, connects($parted) . q(SELECT sync_remote_fetch(:c, 'half');), '42501', qr/access denied to table/, 'what it is part of is not');
$a->safe_psql('postgres', 'DROP TABLE whole');

is($b->safe_psql('postgres', connects($token) . q(SELECT count(*) FROM sync_remote_fetch(:c, 't', 100);)), '100', 'a page');
fails_with($b, connects($token) . q(SELECT count(*) FROM sync_remote_fetch(:c, 't', 101);), '54000', qr/too large.*max_records_per_request/s, 'a larger one');
is($b->safe_psql('postgres', connects($token) . q(SELECT created FROM sync_transfer(:c, 't');)), '5000', 'a whole table is no page');

# What is changed meanwhile counts from the next request on, though the snapshot is the old one.
my $change = sub { my ($set) = @_; return "\\! psql -XAtqd '" . $a->connstr('postgres') . "' -c \"UPDATE sync_connections SET $set WHERE name = 'NAME'\"\n"; };
my %meanwhile = (
	'a table' => [ q(excluded_tables = '{t}'), '42501', qr/access denied to table/ ],
	'expiry' => [ 'expires_at = now()', '42501', qr/connection expired/ ],
	'addresses' => [ q(ip_whitelist = '{192.0.2.0/24}'), '42501', qr/IP address not allowed/ ],
	'hours' => [ q(allowed_hours_start = (extract(hour FROM now() AT TIME ZONE 'UTC')::int + 2) % 24, allowed_hours_end = (extract(hour FROM now() AT TIME ZONE 'UTC')::int + 22) % 24), '42501', qr/outside allowed hours/ ],
	'suspension, not told to anybody' => [ q(status = 'suspended'), '42501', qr/connection not active.*HINT:.*sync_reactivate_connection/s ],
	'a connection that nobody has approved' => [ q(status = 'pending'), '42501', qr/connection not active.*HINT:.*sync_approve_connection/s ],
	'records' => [ 'max_records_total = 1, records_downloaded = 1', '53400', qr/record limit reached/ ],
);
foreach my $what (sort keys %meanwhile)
{
	my ($set, $state, $text) = @{ $meanwhile{$what} };
	($token, $name) = connection();
	(my $command = $change->($set)) =~ s/NAME/$name/;
	my $err = fails_with($b, connects($token) . "SELECT sync_remote_get_count(:c, 't');\n$command" . q(SELECT * FROM sync_remote_fetch(:c, 't', 1);), $state, $text, "changed meanwhile: $what");
}

# The last of the downloads is brought to its end, though the connection expires by it.
($token, $name) = connection('{"max_downloads": 1}');
(my $expire = $change->(q(status = 'expired'))) =~ s/NAME/$name/;
is($b->safe_psql('postgres', connects($token) . "$expire" . q(SELECT sync_remote_get_count(:c, 't');)), '5000', 'the last download goes on');
fails_with($b, connects($token), '53400', qr/download limit reached/, 'and is the last');

# ---- the rate ------------------------------------------------------------------------------------

($token, $name) = connection('{"rate_limit_requests_per_minute": 5}');
fails_with($b, connects($token) . ("SELECT sync_remote_get_count(:c, 't');\n" x 15), '53400', qr/rate limit exceeded/, 'more requests than a minute may have');
fails_with($b, connects($token) . q(SELECT sync_remote_get_count(:c, 't');), '53400', qr/rate limit exceeded/, 'also over another connection');
($token, $name) = connection('{"rate_limit_requests_per_minute": 2}');
is($b->safe_psql('postgres', connects($token) . 'SELECT 1'), '1', "connecting within the rate: $_") for (1, 2);
fails_with($b, connects($token, q(, timeout => '5 s')), '53400', qr/rate limit exceeded/, 'connecting is a request');
is(column($name, 'downloads_used'), '2', 'one that is refused takes no download');
($token, $name) = connection('{"rate_limit_requests_per_minute": 30}');
is($b->safe_psql('postgres', connects($token) . ("SELECT sync_remote_get_count(:c, 'other') \\g /dev/null\n" x 29) . q(SELECT count(*) FROM sync_transfer_all(:c, tables => '{other,none}');)), '2', 'a transfer waits for its turn');

# ---- records -------------------------------------------------------------------------------------

($token, $name) = connection('{"max_records_total": 250}');
is($b->safe_psql('postgres', connects($token) . q(SELECT created + skipped FROM sync_transfer(:c, 'other');)), '1', 'a small table');
settled($name, 1);
is($b->safe_psql('postgres', connects($token) . pages(50, 0, 3) . q(SELECT count(*) FROM sync_remote_fetch(:c, 't', 49, 200);)), "50\n50\n50\n50\n49", 'small pages, up to the limit');
fails_with($b, connects($token) . pages(1, 0, 0), '53400', qr/record limit reached/, 'and no more');
settled($name, 250);
($token, $name) = connection('{"max_records_total": 250}');
fails_with($b, connects($token) . pages(60, 0, 4), '53400', qr/record limit reached/, 'a page that goes beyond');
settled($name, 250);
($token, $name) = connection('{"max_records_total": 4999}');
fails_with($b, connects($token) . q(BEGIN; TRUNCATE t; SELECT * FROM sync_transfer(:c, 't');), '53400', qr/record limit reached/, 'a table with one row too many');
is($b->safe_psql('postgres', 'SELECT count(*) FROM t'), '5000', 'nothing of it stays');
($token, $name) = connection('{"max_records_total": 5000}');
is($b->safe_psql('postgres', connects($token) . q(DROP TABLE t; SELECT created FROM sync_transfer(:c, 't');)), '5000', 'one that fits to the row');
settled($name, 5000);

# Marked as expired while all that is left is reserved, it is active again once the rest has come back.
($token, $name) = connection('{"max_records_total": 60000}');
{
	my $puller = background($b, connects($token) . q(SELECT * FROM sync_transfer(:c, 'big', strategy => 'overwrite', mode => 'full', max_rate => 500000);));
	wait_for(sub { column($name, 'records_downloaded') >= 60_000 }, 'all records are reserved');
	$a->safe_psql('postgres', "UPDATE sync_connections SET status = 'expired' WHERE name = '$name'");
	is(column($name, 'status'), 'expired', 'marked meanwhile');
	$a->safe_psql('postgres', 'SELECT sync_terminate_peer(pid) FROM sync_peers()');
	finished($puller);
	wait_for(sub { column($name, 'status') eq 'active' }, 'the connection is active again');
	cmp_ok(column($name, 'records_downloaded'), '<', 60_000, 'what was not sent is not counted');
}

# Many at once get no more than there is, and what they do not use goes back.
($token, $name) = connection('{"max_records_total": 3000, "rate_limit_requests_per_minute": 10000}');
{
	my @pullers = map { background($b, connects($token) . pages(70, 0, 19)) } 1 .. 6;
	my $got = 0;
	foreach (@pullers) { finished($_); $got += $_ foreach $_->{out} =~ /^(\d+)$/mg; }
	cmp_ok($got, '<=', 3000, 'six pullers of small pages keep to the limit together');
	cmp_ok($got, '>=', 2500, 'and nearly reach it');
	is(scalar(grep { $_->{err} =~ /53400: record limit reached/ } @pullers), 6, 'all are told so in the end');
	wait_for(sub { column($name, "records_downloaded = (SELECT sum(records_transferred) FROM sync_transfers WHERE connection_uuid = sync_connections.uuid)") eq 't' },
		'what is counted is what was sent');
}

# ---- a server that crashes between the reservation and its return ---------------------------------

($token, $name) = connection('{"max_records_total": 1000000}');
{
	my $peer = background($b, connects($token) . q(SELECT * FROM sync_transfer(:c, 'big', max_rate => 2000000);));
	wait_for(sub { column($name, 'records_downloaded') > 0 }, 'records are reserved');
	my $worker = $a->safe_psql('postgres', q(SELECT pid FROM sync_peers() WHERE state = 'rows'));
	kill 'KILL', $worker;
	finished($peer);
	like($peer->{err}, qr/ERROR:  (08006|08P01)/, 'the peer learns of the crash');
	wait_for(sub { $a->psql('postgres', 'SELECT 1') == 0 }, 'the server has recovered');
	wait_for(sub { $a->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher is back');
	my $counted = column($name, 'records_downloaded');
	cmp_ok($counted, '>=', 1000, 'what was reserved is still counted');
	is($b->safe_psql('postgres', connects($token) . q(SELECT count(*) FROM sync_remote_fetch(:c, 't', 10);)), '10', 'it goes on');
	settled($name, $counted + 10);
}

# ---- the end of a connection, in the middle of a table --------------------------------------------

foreach my $how (q(sync_suspend_connection('NAME')), q(sync_revoke_connection('NAME')), q(sync_delete_connection('NAME')), q(sync_regenerate_token('NAME')),
	q(sync_update_connection('NAME', '{"run_as": "other_sharer"}')), q(sync_update_connection('NAME', '{"download_password": "new"}')))
{
	($token, $name) = connection();
	(my $call = $how) =~ s/NAME/$name/;
	my $peer = background($b, connects($token) . q(SELECT * FROM sync_transfer(:c, 'big', max_rate => 1000000);));
	wait_for(sub { $a->safe_psql('postgres', q(SELECT bytes > 100000 FROM sync_peers() WHERE state = 'rows')) eq 't' }, 'a transfer is under way');
	$a->safe_psql('postgres', "BEGIN; SELECT FROM $call; ROLLBACK;");
	usleep(300_000);
	is($a->safe_psql('postgres', q(SELECT count(*) FROM sync_peers() WHERE state = 'rows')), '1', "$how, rolled back: nothing happens");
	$a->safe_psql('postgres', "SELECT FROM $call");
	my $began = time;
	wait_for(sub { $a->safe_psql('postgres', 'SELECT count(*) FROM sync_peers()') eq '0' }, 'the peer is gone');
	cmp_ok(time - $began, '<', 20, "$how ends it in the middle of a table");
	finished($peer);
	like($peer->{err}, qr/ERROR:  (08006|08P01)/, 'its transfer fails');
	my $again = connects($token) . ($how =~ /run_as/ ? q(SELECT * FROM sync_transfer(:c, 'big');) : '');
	fails_with($b, $again, $how =~ /suspend|revoke|run_as/ ? '42501' : '28P01', undef, 'and it does not come back, or not with the old rights');
	wait_for(sub { $a->safe_psql('postgres', q(SELECT status, records_transferred > 0, error_message FROM sync_transfers WHERE table_name = 'big' ORDER BY inserted_at DESC LIMIT 1)) eq 'failed|t|the server ended the connection' },
		'the history has it');
}
is($b->safe_psql('postgres', q(SELECT to_regclass('big') IS NULL)), 't', 'nothing of all that stays');

no_leftovers($b, 'in the end');
$_->stop foreach $a, $b;
done_testing();
