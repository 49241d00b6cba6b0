# A database with connections is dumped, restored, copied, updated from 1.0, and the extension dropped.
use strict;
use warnings;
use File::Copy;
use SyncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $a = new_sync_node('one');
my $b = new_sync_node('two');
my $at_b = sync_url($b);
$b->safe_psql('postgres', q(SELECT sync_set_incoming_mode('auto_accept')));

# Everything that there is, in both directions, and of a schema of its own.
$a->safe_psql('postgres', 'CREATE ROLE sharer');
$a->safe_psql('postgres', 'CREATE DATABASE origin');
my $setup = <<"SQL";
SET client_min_messages = error;
CREATE SCHEMA tools;
CREATE EXTENSION sync SCHEMA tools;
SET search_path = tools;
SELECT sync_enable();
SELECT sync_set_incoming_mode('require_password');
SELECT sync_set_incoming_password('inc0ming');
SELECT sync_create_connection('served', 'sender', '$at_b/postgres', '{"allowed_tables": ["orders", "\\"Odd Name\\""], "ip_whitelist": ["10.0.0.0/8"],
    "download_password": "d0wnload", "max_downloads": 7, "expires_at": "2040-01-01 00:00:00+00"}', run_as => 'sharer');
SELECT sync_create_connection('pulled', 'receiver', '$at_b/other', '{"download_password": "sh0wn", "auto_sync_tables": ["orders"]}', token => 'pulled-token');
SELECT sync_create_connection('gone', 'receiver', 'http://localhost:1/gone', token => 'gone-token');
SELECT sync_delete_connection('gone');
INSERT INTO sync_transfers (direction, connection_uuid, table_name, status, records_transferred, requester_ip)
    SELECT 'receive', uuid, 'orders', 'completed', 10, '10.1.2.3' FROM sync_connections WHERE name = 'pulled';
INSERT INTO sync_transfers (direction, table_name, status) VALUES ('send', 'items', 'failed');
SQL
$a->safe_psql('origin', $setup);

# What a database holds, as text; how often a site was told in vain changes.
sub contents
{
	my ($node, $db) = @_;
	return join "\n", map { $node->safe_psql($db, "SELECT t FROM $_ t ORDER BY 1") }
	  qw(tools.sync_settings tools.sync_connections tools.sync_secrets tools.sync_transfers),
	  '(SELECT uuid, connection_uuid, site_url, auth_token_hash, action, run_as FROM tools.sync_notices)';
}
my $all = contents($a, 'origin');
like($all, qr/inc0ming.*SCRAM-SHA-256.*pulled-token.*sh0wn/s, 'there is something of everything');
unlike($all, qr/d0wnload/, 'but for what is kept as a verifier only');

# Into a database of the same server, one of another, and a copy by template: the same, and quiet.
foreach my $format ('plain', 'custom')
{
	my $file = PostgreSQL::Test::Utils::tempdir('dump') . '/dump';
	command_ok([ 'pg_dump', '-F', $format, '-f', $file, '-d', $a->connstr('origin') ], "pg_dump ($format)");
	foreach my $node ($a, $b)
	{
		my $db = "restored_$format";
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		command_ok(
			$format eq 'plain'
			? [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', $file ]
			: [ 'pg_restore', '--exit-on-error', '-d', $node->connstr($db), $file ],
			"restores without an error on " . $node->name);
		is(contents($node, $db), $all, 'with all that there was');
	}
}
$a->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE origin');
is(contents($a, 'copied'), $all, 'a copy has it, too');
foreach my $copy ([ $a, 'restored_plain' ], [ $b, 'restored_custom' ], [ $a, 'copied' ])
{
	my ($node, $db) = @$copy;
	is($node->safe_psql($db, 'SELECT enabled, worker_state FROM tools.sync_get_config()'), 'f|copied', "$db is quiet");
	fails_with($node, q(SELECT tools.sync_create_session('send')), '55000', qr/copy of a database/, "$db shares nothing", db => $db);
	my $offer = '{"sender_url": "https://x.example", "connection_name": "x", "auth_token": "0123456789abcdef", "password": "inc0ming"}';
	my $answer = http_request($node->{sync_port}, "POST /$db/sync/v1/register-connection HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($offer) . "\r\n\r\n$offer");
	like($answer, qr{^HTTP/1.1 401 }, "$db takes no registration");
}
# A registered site finds nobody in the copy, as it would anyone who claims to be it.
is($b->safe_psql('postgres', q(SELECT sync_verify_connection('From: served'))), 'active', 'the original answers');

# Enabled, a copy works by itself.
$a->safe_psql('copied', 'SELECT tools.sync_enable()');
is($a->safe_psql('copied', 'SELECT enabled, worker_state FROM tools.sync_get_config()'), 't|running', 'enabled');
is($a->safe_psql('copied', q(SELECT status FROM tools.sync_suspend_connection('served'))), 'suspended', 'and administered');

# Objects of 1.0 with this library: all of 1.0 works, and nothing else is missed or crashes.
$a->safe_psql('postgres', 'CREATE DATABASE old');
$a->safe_psql('old', q(CREATE EXTENSION sync VERSION '1.0'; SELECT sync_enable(); CREATE TABLE t AS SELECT generate_series(1, 10) AS id; ALTER TABLE t ADD PRIMARY KEY (id)));
is($a->safe_psql('old', 'SELECT enabled, version, worker_state FROM sync_get_config()'), 't|1.1|running', '1.0');
my $code = new_code($a, db => 'old');
is($b->safe_psql('postgres', "SELECT table_name, created FROM sync_pull('" . sync_url($a) . "', '$code')"), 't|10', 'a transfer from it');
my $offer = '{"sender_url": "https://x.example", "connection_name": "x", "auth_token": "0123456789abcdef"}';
$a->safe_psql('old', q(SELECT sync_set_incoming_mode('auto_accept')));
like(http_request($a->{sync_port}, "POST /old/sync/v1/register-connection HTTP/1.1\r\nHost: x\r\nContent-Length: " . length($offer) . "\r\n\r\n$offer"),
	qr{^HTTP/1.1 401 }, 'there are no connections to be registered');
$code = new_code($a, db => 'old');

# Functions that are made anew keep what was granted on them, and by whom, whoever updates.
$a->safe_psql('old', q(CREATE ROLE plain; CREATE ROLE granting; CREATE ROLE "Odd, ""Role"""; CREATE ROLE defaulted; CREATE ROLE updater SUPERUSER;
	GRANT EXECUTE ON FUNCTION sync_pull, sync_transfer TO plain; GRANT EXECUTE ON FUNCTION sync_transfer_all TO granting WITH GRANT OPTION;
	GRANT EXECUTE ON FUNCTION sync_pull TO "Odd, ""Role""" WITH GRANT OPTION; GRANT EXECUTE ON FUNCTION sync_transfer_all TO PUBLIC;
	SET ROLE granting; GRANT EXECUTE ON FUNCTION sync_transfer_all TO plain;
	RESET ROLE; ALTER DEFAULT PRIVILEGES FOR ROLE updater GRANT EXECUTE ON FUNCTIONS TO defaulted));
my $granted = q(SELECT p.proname, p.proowner::regrole, g.grantor::regrole, g.grantee::regrole, g.privilege_type, g.is_grantable
	FROM pg_proc p, aclexplode(p.proacl) g WHERE p.proname IN ('sync_pull', 'sync_transfer', 'sync_transfer_all') ORDER BY 1, 3, 4);
my $before = $a->safe_psql('old', $granted);
like($before, qr/sync_pull\|.*\|plain\|EXECUTE\|f\n.*"Odd, ""Role"""\|EXECUTE\|t\n.*granting\|plain\|EXECUTE\|f/s, 'there are grants at 1.0');
$a->safe_psql('old', 'CREATE VIEW depending AS SELECT * FROM sync_pull($$http://localhost:1$$)');
fails_with($a, 'ALTER EXTENSION sync UPDATE', '2BP01', qr/view depending depends on function sync_pull/, 'a view that stands in the way', db => 'old');
is($a->safe_psql('old', $granted), $before, 'nothing has happened');
$a->safe_psql('old', 'DROP VIEW depending; SET ROLE updater; ALTER EXTENSION sync UPDATE');
is($a->safe_psql('old', $granted), $before, 'the grants of 1.0 are there after the update');
like($a->safe_psql('old', q(SELECT string_agg(pronargs::text, ' ' ORDER BY proname) FROM pg_proc WHERE proname IN ('sync_pull', 'sync_transfer', 'sync_transfer_all'))), qr/^20 17 19$/, 'on functions that are new');
fails_with($a, 'DROP ROLE granting', '2BP01', qr/privileges for function sync_transfer_all/, 'a role with rights is not dropped', db => 'old');
is($a->safe_psql('old', q(SELECT count(*) FROM pg_shdepend WHERE refobjid = 'defaulted'::regrole AND objid IN ('sync_pull'::regproc, 'sync_transfer_all'::regproc))), '0',
	'and there is nothing of default privileges about them');
{
	my $file = PostgreSQL::Test::Utils::tempdir('dump') . '/old';
	command_ok([ 'pg_dump', '-f', $file, '-d', $a->connstr('old') ], 'a dump after the update');
	$a->safe_psql('postgres', 'CREATE DATABASE old_restored');
	command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $a->connstr('old_restored'), '-f', $file ], 'is restored');
	is($a->safe_psql('old_restored', $granted), $before, 'with the grants');
	$a->safe_psql($_, 'REVOKE EXECUTE ON FUNCTION sync_transfer_all FROM PUBLIC') foreach qw(old old_restored);
}
is($a->safe_psql('old', 'SELECT enabled, incoming_mode, worker_state FROM sync_get_config()'), 't|auto_accept|running', 'updated: the settings stay');
is($b->safe_psql('postgres', "DROP TABLE t; SELECT table_name, created FROM sync_pull('" . sync_url($a) . "', '$code')"), 't|10', 'and the sessions');
is($a->safe_psql('old', "SET client_min_messages = error; SELECT status FROM sync_create_connection('x', 'receiver', 'http://localhost:1', token => 'x')"), 'active', 'connections are there');

# An update gives what a new installation gives.
my $objects = q(SELECT pg_describe_object(classid, objid, 0), CASE classid WHEN 'pg_proc'::regclass THEN
		(SELECT concat(proacl::text ~ '(^|[{,])=X', provolatile, proparallel, obj_description(oid)) FROM pg_proc WHERE oid = objid) END
	FROM pg_depend WHERE deptype = 'e' ORDER BY 1);
$a->safe_psql('postgres', 'CREATE DATABASE new');
$a->safe_psql('new', 'CREATE EXTENSION sync');
is($a->safe_psql('old', $objects), $a->safe_psql('new', $objects), 'an updated extension is as a new one');

# DROP EXTENSION ends who is being served, and leaves nothing that listens for the database.
foreach my $drop ('DROP EXTENSION sync', 'DROP SCHEMA tools CASCADE')
{
	$a->safe_psql('postgres', 'DROP DATABASE IF EXISTS doomed');
	$a->safe_psql('postgres', 'CREATE DATABASE doomed');
	$a->safe_psql('doomed', q(CREATE SCHEMA tools; CREATE EXTENSION sync SCHEMA tools; SELECT tools.sync_enable();
		CREATE VIEW sleeping AS SELECT pg_sleep(60)::text, 1 AS x));
	my $doomed = $a->safe_psql('doomed', "SET client_min_messages = error; SELECT code FROM tools.sync_create_session('send', ttl => '1 hour')");
	my $spare = $a->safe_psql('doomed', "SET client_min_messages = error; SELECT code FROM tools.sync_create_session('send', ttl => '1 hour')");
	my $peer = background($b, "SELECT sync_connect('" . sync_url($a) . "', '$doomed') AS c \\gset\nSELECT * FROM sync_remote_fetch(:c, 'sleeping');\n");
	wait_for(sub { $a->safe_psql('postgres', 'SELECT state FROM sync_peers()') eq 'rows' }, 'a peer is served');
	$a->safe_psql('doomed', "BEGIN; $drop; ROLLBACK");
	is($a->safe_psql('postgres', 'SELECT state FROM sync_peers()'), 'rows', "$drop that is rolled back: it goes on");
	$a->safe_psql('doomed', $drop);
	finished($peer);
	like($peer->{err}, qr/ERROR:  08006/, "$drop ends the peer");
	fails_with($b, "SELECT sync_connect('" . sync_url($a) . "', '$spare')", '28000', qr/invalid_code/, 'nobody listens for it any more');
	wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM pg_stat_activity WHERE datname = 'doomed')) eq '0' }, 'no process is left in it');
}

# A process takes one copy of the library only: another one knows neither the settings nor shared memory.
my $copy = PostgreSQL::Test::Utils::tempdir('copy') . '/sync.so';
copy($a->config_data('--pkglibdir') . '/sync.so', $copy) or die "copy: $!";
$a->safe_psql('postgres', "CREATE FUNCTION of_copy() RETURNS boolean LANGUAGE c AS '$copy', 'pgsync_enabled'");
fails_with($a, 'SELECT of_copy()', '55000', qr/the library of sync was replaced while the server runs\n.*HINT:  Restart the server\./s, 'a second copy');
$a->safe_psql('postgres', 'DROP FUNCTION of_copy');

# A server that does not preload the library can have connections, but not tell of them by itself.
my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init;
$plain->start;
$plain->safe_psql('postgres', "CREATE EXTENSION sync; SELECT sync_create_connection('c', 'receiver', '$at_b/postgres', token => 'c')");
my ($ret, $out, $err) = $plain->psql('postgres', "SELECT status FROM sync_suspend_connection('c'); SELECT name FROM sync_delete_connection('c'); SELECT action FROM sync_notices");
is($out, "suspended\nc\ndelete", 'not preloaded');
like($err, qr/WARNING:  the other site is not told before sync runs/, 'which is said');
$plain->psql('postgres', "SELECT FROM sync_create_connection('d', 'receiver', 'http://localhost:1', token => 'd'); SELECT sync_pull('d')");
ok(log_contains($plain, qr/LOG:  sync could not note a transfer: it is not preloaded/), 'nor note a transfer that has failed');

no_leftovers($_, $_->name) foreach $a, $b;
done_testing();
