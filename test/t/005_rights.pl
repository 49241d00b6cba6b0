# The peer may do what the session's role may do, and no more.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');
my $url = sync_url($a);

$a->safe_psql('postgres', <<'SQL');
CREATE ROLE sharer NOLOGIN;
CREATE ROLE other NOLOGIN;
GRANT EXECUTE ON FUNCTION sync_create_session TO sharer, other;
CREATE TABLE open (id int PRIMARY KEY, v text);
INSERT INTO open VALUES (1, 'a'), (2, 'b');
CREATE TABLE closed (id int PRIMARY KEY);
CREATE TABLE partly (id int PRIMARY KEY, secret text);
CREATE TABLE rows_of (id int PRIMARY KEY, owner text);
INSERT INTO rows_of VALUES (1, 'sharer'), (2, 'other'), (3, 'sharer');
ALTER TABLE rows_of ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON rows_of USING (owner = current_user);
CREATE TABLE schema_migrations (version int PRIMARY KEY);
CREATE TABLE phoenix_kit_user_tokens (token text PRIMARY KEY);
GRANT SELECT ON open, rows_of, schema_migrations, phoenix_kit_user_tokens TO sharer, other;
GRANT SELECT (id) ON partly TO sharer;
SQL

# A role that cannot log in can share, and its grants are the limit.
is( run_script($b, $a, 'SELECT name, row_count FROM sync_remote_list_tables(:c, NULL, true);', role => 'sharer'),
	"open|2\nrows_of|2", 'what the role may read is listed, by its own count');
foreach my $table ('closed', 'partly', 'schema_migrations', 'phoenix_kit_user_tokens', 'sync_settings', 'pg_catalog.pg_authid')
{
	foreach my $call ("sync_remote_get_schema(:c, '$table')", "sync_remote_get_count(:c, '$table')",
		"sync_remote_fetch(:c, '$table')", "sync_transfer(:c, '$table')")
	{
		my $err = fails_with($b, pull_script($a, "SELECT $call;", role => 'sharer'),
			$table =~ /pg_authid/ ? '42809' : '42501', qr/remote:/, "$call");
		like($err, qr/columns: secret/, 'it says which columns') if $table eq 'partly';
	}
}
is( run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 'rows_of');), role => 'sharer'),
	'2', 'row level security applies');
is($b->safe_psql('postgres', 'SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM rows_of'), '1,3', 'to the rows that arrive');
is( run_script($b, $a, q(SELECT * FROM sync_remote_list_tables(:c, exact_counts => true);), role => 'sharer', tables => q('{schema_migrations}')),
	'public|schema_migrations|0|8192|{}', 'an excluded table that the session names is shared');

# Functions of the role cannot become somebody else, in policies or in views, nor write.
$a->safe_psql('postgres', <<'SQL');
CREATE TABLE trap (id int PRIMARY KEY, v text);
INSERT INTO trap VALUES (1, 'x');
CREATE TABLE loot (who text);
GRANT INSERT ON loot TO PUBLIC;
GRANT CREATE ON SCHEMA public TO sharer;
GRANT ALL ON trap TO sharer;
CREATE FUNCTION try(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF what = 'role' THEN SET ROLE postgres; END IF;
    IF what = 'none' THEN SET ROLE NONE; END IF;
    IF what = 'reset' THEN RESET ROLE; END IF;
    IF what = 'auth' THEN SET SESSION AUTHORIZATION DEFAULT; END IF;
    IF what = 'auth2' THEN RESET SESSION AUTHORIZATION; END IF;
    IF what = 'config' THEN PERFORM set_config('role', 'none', false); END IF;
    IF what = 'temp' THEN CREATE TEMP TABLE tt (x int); END IF;
    IF what = 'write' THEN INSERT INTO loot VALUES (current_user); END IF;
    IF what = 'writable' THEN SET transaction_read_only = off; INSERT INTO loot VALUES (current_user); END IF;
    IF what = 'read' THEN RETURN (SELECT rolpassword FROM pg_authid LIMIT 1); END IF;
    RETURN current_user;
END $$;
SQL
foreach my $what ('role', 'none', 'reset', 'auth', 'auth2', 'config', 'temp', 'write', 'writable', 'read')
{
	$a->safe_psql('postgres', "SET ROLE sharer; CREATE VIEW trap_$what AS SELECT id, try('$what') FROM trap");
	my ($ret, $out, $err) = $b->psql('postgres', "\\set VERBOSITY verbose\n"
		  . pull_script($a, "SELECT * FROM sync_remote_fetch(:c, 'trap_$what');\nSELECT 'goes on', * FROM sync_remote_fetch(:c, 'open', 1);", role => 'sharer'),
		on_error_stop => 0);
	unlike($out, qr/postgres/, "$what: it does not act as another");
	like($err, qr/ERROR:  (42501|25006|0A000|25001)/, "$what: it fails");
	like($out, qr/goes on/, "$what: and the connection goes on");
}
is($a->safe_psql('postgres', 'SELECT count(*) FROM loot'), '0', 'nothing was written');
$a->safe_psql('postgres', "SET ROLE sharer; CREATE VIEW honest AS SELECT id, try('') AS who FROM trap");
is(run_script($b, $a, q(SELECT r->>'who' FROM sync_remote_fetch(:c, 'honest') r;), role => 'sharer'), 'sharer', 'it acts as the role');

# Who lists tables trusts none of their owners: what has got the name of one meanwhile, or has become a view, is not read.
plant_trap($a, qw(a_first turned z_last));
{
	my $bait = background($a, "SET ROLE mallory; BEGIN; LOCK TABLE mallory.a_first IN ACCESS EXCLUSIVE MODE;\n"
		  . "DO \$\$ BEGIN FOR i IN 1 .. 600 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'mallory.a_first'::regclass); PERFORM pg_sleep(0.1); END LOOP; END \$\$;\n"
		  . "ALTER TABLE mallory.z_last RENAME TO z_gone; CREATE VIEW mallory.z_last AS SELECT 1 AS id WHERE mallory.pounce() = 1;\n"
		  . "CREATE RULE \"_RETURN\" AS ON SELECT TO mallory.turned DO INSTEAD SELECT 1 AS id WHERE mallory.pounce() = 1;\nCOMMIT;\n");
	wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'mallory.a_first'::regclass)) eq '1' }, 'a trap is set');
	is($a->safe_psql('postgres', q(SELECT string_agg(concat_ws(' ', name, row_count), ', ') FROM sync_list_tables('mallory'))), 'a_first 0', 'tables that are views by now');
	finished($bait);
	is($a->safe_psql('postgres', q(SELECT NOT is_called FROM mallory.loot)), 't', 'run no code of their owner');
	$a->safe_psql('postgres', 'SET client_min_messages = error; DROP OWNED BY mallory CASCADE; DROP ROLE mallory');
}

# The role's own settings apply.
$a->safe_psql('postgres', <<'SQL');
CREATE SCHEMA mine;
GRANT USAGE ON SCHEMA mine TO sharer;
ALTER ROLE sharer SET search_path = mine, public;
ALTER ROLE sharer SET statement_timeout = '3s';
CREATE FUNCTION mine.where_am_i() RETURNS text LANGUAGE sql AS $$ SELECT 'mine: ' || current_setting('search_path') || ', ' || current_setting('lock_timeout') $$;
CREATE FUNCTION public.where_am_i() RETURNS text LANGUAGE sql AS $$ SELECT 'public' $$;
CREATE FUNCTION public.late_bound() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN where_am_i(); END $$;
CREATE VIEW path AS SELECT late_bound() AS p;
CREATE VIEW sleepy AS SELECT id, pg_sleep(60)::text FROM trap;
GRANT SELECT ON path, sleepy TO sharer;
SQL
is(run_script($b, $a, q(SELECT r->>'p' FROM sync_remote_fetch(:c, 'path') r;), role => 'sharer'), 'mine: mine, public, 10s', q(the role's search_path; the workers' lock_timeout));
fails_with($b, pull_script($a, q(SELECT * FROM sync_remote_fetch(:c, 'sleepy');), role => 'sharer'), '57014', qr/statement timeout.*remote:/s, q(the role's statement_timeout));

# A role that is dropped, or may not connect, or has too many connections.
$a->safe_psql('postgres', 'CREATE ROLE fleeting; GRANT EXECUTE ON FUNCTION sync_create_session TO fleeting');
my $code = new_code($a, role => 'fleeting');
$a->safe_psql('postgres', 'DROP OWNED BY fleeting; DROP ROLE fleeting');
fails_with($b, "SELECT sync_connect('$url', '$code')", '42501', qr/role of the session/, 'a role that was dropped');
$a->safe_psql('postgres', 'CREATE ROLE limited CONNECTION LIMIT 1; GRANT EXECUTE ON FUNCTION sync_create_session TO limited; REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
$code = new_code($a, role => 'limited');
fails_with($b, "SELECT sync_connect('$url', '$code')", '42501', qr/may not connect/, 'a role without CONNECT');
$a->safe_psql('postgres', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
my $holder = background($b, "SELECT sync_connect('$url', '" . new_code($a, role => 'limited') . "');\nSELECT pg_sleep(60);\n");
wait_for(sub { $a->safe_psql('postgres', q(SELECT count(*) FROM sync_peers() WHERE state = 'idle')) eq '1' }, 'one peer of the role');
$code = new_code($a, role => 'limited');
fails_with($b, "SELECT sync_connect('$url', '$code', timeout => '10 s')", '53300', undef, 'a role with too many connections');
is($a->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', 'the code can be used later');
$b->safe_psql('postgres', q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()));
finished($holder);

# A superuser's session is allowed, with a warning.
my ($ret, $out, $err) = $a->psql('postgres', q(SELECT status FROM sync_create_session('send')));
is($out, 'pending', 'a superuser may share');
like($err, qr/WARNING:  the peer will act as a superuser/, 'but is warned');

# Where a client may connect to.
$b->safe_psql('postgres', 'CREATE ROLE puller; GRANT EXECUTE ON FUNCTION sync_connect TO puller');
fails_with($b, "SET ROLE puller;\nSELECT sync_connect('$url', 'ABCDEFGH')", '42501', qr/sync\.allowed_peers is empty/, 'by default only superusers may connect anywhere');
foreach my $case ([ '*', 1 ], [ 'localhost', 1 ], [ 'LOCALHOST', 1 ], [ '127.0.0.0/8, ::1', 1 ], [ '10.0.0.0/8', 0 ], [ 'example.com', 0 ])
{
	my ($list, $allowed) = @$case;
	$code = new_code($a);
	my ($r, $o, $e) = $b->psql('postgres', "SET sync.allowed_peers = '$list'; SET ROLE puller; SELECT sync_connect('$url', '$code') > 0");
	is($o, $allowed ? 't' : '', "allowed_peers '$list'");
	like($e, qr/not allowed/, 'refused') unless $allowed;
}
fails_with($b, "SET sync.allowed_peers = '10.0.0.0/8';\nSELECT sync_connect('$url', 'ABCDEFGH')", '42501', qr/not allowed.*not in sync\.allowed_peers, which a superuser can set/s, 'a list counts for superusers, too');
fails_with($b, "SET ROLE puller;\nSET sync.allowed_peers = '*'", '42501', undef, 'not everyone may set it');
fails_with($b, "SELECT sync_connect('http://169.254.169.254', 'ABCDEFGH', timeout => '5 s')", '42501', qr/link-local/, 'link-local addresses are never connected to');
fails_with($b, "SELECT sync_connect('http://192.0.2.1', 'ABCDEFGH', timeout => '5 s')", '42501', qr/TLS/, 'other machines only with TLS');

# Who is let in.
$a->append_conf('postgresql.conf', "sync.allowed_clients = '10.0.0.0/8'");
$a->reload;
wait_for(sub { (http_request($a->{sync_port}, "GET /sync/v1/ HTTP/1.1\r\nConnection: close\r\n\r\n") // '') eq '' }, 'allowed_clients keeps others out');
ok(log_contains($a, qr/sync peer refused: peer=127\.0\.0\.1 port=\d+ reason="address is not in sync\.allowed_clients"/), 'and it is logged');

done_testing();
