# Sites register connections with each other: the four modes, what is kept, who may say what.
use strict;
use warnings;
use FakePeer;
use SyncTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');
my $at_b = sync_url($b);
$b->safe_psql('postgres', 'CREATE DATABASE "shop db"');
$b->safe_psql('shop db', 'CREATE EXTENSION sync; SELECT sync_enable()');

# A sender connection of $a with a database of $b: name|status|remote_status|remote_message.
sub offer
{
	my ($name, $url, $settings) = @_;
	return $a->safe_psql('postgres',
		"SET client_min_messages = error; SELECT status, remote_status, remote_message FROM sync_create_connection('$name', 'sender', '$url', '"
		  . ($settings || '{}') . "')");
}

sub mode { my ($mode, $db) = @_; $b->safe_psql($db || 'postgres', "SELECT sync_set_incoming_mode('$mode')"); }
sub status { my ($node, $name) = @_; return $node->safe_psql('postgres', "SELECT status FROM sync_connection_list WHERE name = '$name'"); }
sub rows { my ($db) = @_; return $b->safe_psql($db || 'postgres', 'SELECT count(*) FROM sync_connections'); }
sub forget { $_->safe_psql('postgres', 'DELETE FROM sync_connections; DELETE FROM sync_notices') foreach $a, $b; }

# require_approval, the default: pending on both sides until the receiver's administrator agrees and asks.
is(offer('shop', "$at_b/postgres/"), 'pending|pending|Connection registered; an administrator has to approve it', 'require_approval');
is( $b->safe_psql('postgres', q(SELECT name, direction, site_url, status, approval_mode, created_by, metadata->>'registered_via', metadata->>'remote_ip',
		metadata ? 'registered_at' FROM sync_connection_list)),
	"From: shop|receiver|http://localhost:$a->{sync_port}/postgres|pending|auto_approve||api|127.0.0.1|t", 'the row of the receiver');
is( $b->safe_psql('postgres', 'SELECT c.auth_token_hash = encode(sha256(s.token::bytea), \'hex\') FROM sync_connections c JOIN sync_secrets s ON s.connection_uuid = c.uuid'),
	't', 'which has the token');
is( $a->safe_psql('postgres', 'SELECT auth_token_hash FROM sync_connections'),
	$b->safe_psql('postgres', 'SELECT auth_token_hash FROM sync_connections'), 'of the sender');
is( $a->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'notification_status', (metadata->'remote_notification'->>'notification_success')::boolean,
		metadata->'remote_notification'->>'http_status', metadata->>'own_url' FROM sync_connections)),
	"registered|t|200|http://localhost:$a->{sync_port}/postgres", 'the sender keeps what it was answered');
is( $a->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'remote_connection_uuid' FROM sync_connections)),
	$b->safe_psql('postgres', 'SELECT uuid FROM sync_connections'), 'and the uuid there');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('shop'))), 'pending', 'the sender asks for the status');
is(status($a, 'shop'), 'pending', 'which changes nothing');
$b->safe_psql('postgres', q(CREATE ROLE dba; GRANT EXECUTE ON FUNCTION sync_approve_connection, sync_verify_connection TO dba;
	SET ROLE dba; SELECT sync_approve_connection('From: shop')));
is($b->safe_psql('postgres', 'SELECT status, run_as, approved_by FROM sync_connection_list'), 'active|dba|dba', 'approved: it acts as the role that agreed');
is($b->safe_psql('postgres', q(SELECT sync_verify_connection('From: shop'))), 'active', 'the receiver has accepted by asking');
is(status($a, 'shop'), 'active', 'so the sender serves');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('shop'))), 'active', 'and hears so');

# A second registration of the same site.
$a->safe_psql('postgres', 'DELETE FROM sync_connections');
like(offer('shop', "$at_b/postgres"), qr/^pending\|failed\|connection already exists for this site$/, 'a second registration');
is($a->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'http_status' FROM sync_connections)), '409', 'with its status');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('shop'))), 'not_found', 'the other token is not known there');
is(status($b, 'From: shop'), 'active', 'the first one stays');
forget();

# A pending sender that does not approve by itself is not activated by its peer.
is(offer('careful', "$at_b/postgres", '{"approval_mode": "require_approval"}'), 'pending|pending|Connection registered; an administrator has to approve it', 'require_approval on both sides');
$b->safe_psql('postgres', q(SELECT sync_approve_connection('From: careful')));
is($b->safe_psql('postgres', q(SELECT sync_verify_connection('From: careful'))), 'pending', 'the peer learns that it is pending');
is($a->safe_psql('postgres', q(SELECT status FROM sync_approve_connection('careful'))), 'active', 'until an administrator approves');
is($b->safe_psql('postgres', q(SELECT sync_verify_connection('From: careful'))), 'active', 'then it is active');
forget();

# auto_accept: both sides are active at once, and run_as stays out of the peer's reach.
mode('auto_accept');
is(offer('auto', "$at_b/postgres"), 'active|active|Connection registered and activated', 'auto_accept');
is($b->safe_psql('postgres', 'SELECT status, run_as = current_user, approved_at IS NOT NULL, approved_by FROM sync_connection_list'), 'active|t|t|', 'the row of the receiver');
# The same name from another site, and a name that is all hostile.
$a->safe_psql('postgres', q(UPDATE sync_connections SET name = 'old', site_url = 'http://localhost:1/x'));
is( (split /\|/, offer('auto', "$at_b/postgres", '{"own_url": "https://elsewhere.example/x"}'))[0],
	'active', 'another site');
is( $b->safe_psql('postgres', 'SELECT name, site_url FROM sync_connection_list ORDER BY name'),
	"From: auto|http://localhost:$a->{sync_port}/postgres\nFrom: auto (2)|https://elsewhere.example/x", 'names are unique, own_url is told');
forget();

# require_password.
mode('require_password');
is(offer('p0', "$at_b/postgres"), 'pending|failed|password required for incoming connections', 'no password given');
$a->safe_psql('postgres', 'DELETE FROM sync_connections');
is(offer('p1', "$at_b/postgres", '{"register_password": "anything"}'), 'pending|failed|password required for incoming connections', 'no password set: refused');
$a->safe_psql('postgres', 'DELETE FROM sync_connections');
$b->safe_psql('postgres', q(SELECT sync_set_incoming_password('s3cret')));
my $offset = -s $b->logfile;
is(offer('p2', "$at_b/postgres", '{"register_password": "S3cret"}'), 'pending|failed|invalid password', 'wrong password');
is($a->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'http_status' FROM sync_connections)), '401', 'is a 401');
ok(log_contains($b, qr/sync peer refused: peer=127.0.0.1:\d+ reason="invalid password" wrong_guesses=/, $offset), 'and counted');
is(rows(), '0', 'nothing was registered');
$a->safe_psql('postgres', 'DELETE FROM sync_connections');
is(offer('p3', "$at_b/postgres", '{"register_password": "s3cret"}'), 'active|active|Connection registered and activated', 'the right password');
is($a->safe_psql('postgres', q(SELECT metadata::text ~ 's3cret' FROM sync_connections)), 'f', 'which is not kept');
forget();

# deny_all; a database of its own; disabled; unknown.
mode('deny_all');
is(offer('denied', "$at_b/postgres"), 'pending|failed|incoming connections are not allowed', 'deny_all');
is($a->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'http_status' FROM sync_connections)), '403', 'is a 403');
is(rows(), '0', 'nothing was registered');
mode('auto_accept', 'shop db');
is(offer('named', "$at_b/shop%20db"), 'active|active|Connection registered and activated', 'the database of the URL');
is(rows('shop db'), '1', 'is where the row is');
$b->safe_psql('shop db', 'SELECT sync_disable()');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('named'))), 'error', 'disabled');
like(offer('none', "$at_b/no_such_database"), qr/^pending\|failed\|there is no such site here, or sync is not enabled in its database$/, 'no such database');
is(offer('elsewhere', 'http://localhost:' . free_port()) =~ s/could not connect.*//sr, 'pending|offline|', 'nobody there: told, not an error');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('elsewhere'))), 'offline', 'and verified as offline');
is( $a->safe_psql('postgres', q(SELECT t->>'reachable', t->>'status', t->>'version' FROM sync_test_connection('elsewhere') t)), 'false|offline|', 'tested');
$b->safe_psql('shop db', 'SELECT sync_enable()');
is( $a->safe_psql('postgres', q(SELECT t->>'reachable', t->>'status', t->>'version' = (SELECT version FROM sync_get_config()),
		(t->>'milliseconds')::float > 0 FROM sync_test_connection('named') t)), 'true|active|t|t', 'a site that is there');
my $none = fake_peer(sub { read_head($_[0]); print { $_[0] } http_body(404, '<html>404', 'text/html') });
is( offer('web', "http://localhost:$none") =~ s/\d+\.$//r, 'pending|failed|It does not answer as a sync server, but with status ', 'a web server');
is($a->safe_psql('postgres', q(SELECT sync_verify_connection('web'))), 'error', 'whose 404 is no not_found');
forget();

# The wait for a site can be interrupted.
my $silent = fake_peer(sub { sleep 100 });
fails_with($a, "SET statement_timeout = '1s'; SELECT sync_create_connection('silent', 'sender', 'http://localhost:$silent')", '57014', undef, 'a silent site');
is($a->safe_psql('postgres', 'SELECT count(*) FROM sync_connections'), '0', 'leaves nothing');
is( $a->safe_psql('postgres', "SET client_min_messages = error; SELECT remote_status FROM sync_create_connection('silent', 'sender', 'http://localhost:$silent')"),
	'offline', 'or is given up');
forget();

# Where one may connect to is decided as for sync_connect().
$a->safe_psql('postgres', 'CREATE ROLE clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk');
my $offer = "SET ROLE clerk; SELECT status FROM sync_create_connection('c', 'sender', '$at_b/postgres')";
fails_with($a, $offer, '42501', qr/allowed_peers|refused|not allowed|permission/, 'sync.allowed_peers');
$a->append_conf('postgresql.conf', "sync.allowed_peers = 'localhost'");
$a->reload;
mode('auto_accept');
wait_for(sub { $a->safe_psql('postgres', 'SHOW sync.allowed_peers') eq 'localhost' }, 'the setting is read');
is($a->safe_psql('postgres', $offer), 'active', 'and what it allows');
forget();

# On the wire. A stranger may write only so many rows, and none that are nonsense.
sub post
{
	my ($operation, $json, $prefix) = @_;
	my $answer = http_request($b->{sync_port}, "POST " . ($prefix // '/postgres') . "/sync/v1/$operation HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\nContent-Length: "
		  . length($json) . "\r\n\r\n$json");
	my ($status) = $answer =~ m{^HTTP/1.1 (\d+)};
	my ($body) = $answer =~ /\r\n\r\n(.*)/s;
	return ($status, $body);
}
my $valid = '"sender_url": "https://s.example/x", "connection_name": "wire", "auth_token": "tttttttttttttttt"';
foreach my $case (
	['{' . $valid =~ s/"sender_url".*?, //r . '}', 400, 'no URL'],
	['{' . $valid =~ s/https:/ftp:/r . '}', 400, 'no such scheme'],
	['{' . $valid =~ s/s.example/me:pw\@s.example/r . '}', 400, 'a URL with a password'],
	['{' . $valid =~ s/s.example/'x' x 300/er . '}', 400, 'a long URL'],
	['{' . $valid =~ s/"wire"/""/r . '}', 400, 'no name'],
	['{' . $valid =~ s/"wire"/5/r . '}', 400, 'a number as name'],
	['{' . $valid =~ s/tttt/t t\\n/r . '}', 400, 'a token with spaces'],
	['{' . $valid =~ s/t{16}/'t' x 300/er . '}', 400, 'a long token'],
	['{' . $valid =~ s/"wire"/"a\\u0000b"/r . '}', 400, 'a NUL'],
	["{$valid", 400, 'no JSON'],
	['[' x 100, 400, 'deep JSON'],
	['5', 400, 'no object'],
	["{$valid, \"x\": \"" . ('y' x 20000) . '"}', 413, 'a large body'],
	["{$valid}", 200, 'at last']
  )
{
	my ($status, $body) = post('register-connection', $case->[0]);
	is($status, $case->[1], "register-connection: $case->[2]") or diag($body);
}
is( $b->safe_psql('postgres', q(SELECT name, metadata->>'user_agent', created_by IS NULL FROM sync_connection_list)), 'From: wire|test|t', 'the only row');
my $hash = $b->safe_psql('postgres', 'SELECT auth_token_hash FROM sync_connections');
my $me = "{\"auth_token_hash\": \"$hash\", \"direction\": \"sender\"";
is((post('verify-connection', "$me}"))[0], 200, 'verify-connection');
is((post('verify-connection', '{"auth_token_hash": "' . uc($hash) . '", "direction": "sender"}'))[0], 404, 'a hash in capital letters');
is((post('verify-connection', "{\"auth_token_hash\": \"$hash\", \"direction\": \"receiver\"}"))[0], 404, 'of the other direction');
is((post('connection-status', "$me}"))[0], 404, 'a receiver row answers no receiver');
is((post('verify-connection', "$me}", '/template1'))[0], 401, 'another database');
is((post('update-status', "$me, \"status\": \"deleted\"}"))[0], 400, 'a status that is none');
is((post('update-status', "$me, \"status\": \"pending\"}"))[0], 400, 'or none that is told');
is((post('update-status', "$me, \"status\": \"suspended\"}"))[0], 200, 'a peer may suspend');
is( $b->safe_psql('postgres', 'SELECT status, suspended_by, suspended_reason FROM sync_connection_list'), 'suspended||by the other site', 'which is noted');
is((post('update-status', "$me, \"status\": \"active\"}"))[0], 200, 'and go on');
is( $b->safe_psql('postgres', 'SELECT status, suspended_at FROM sync_connection_list'), 'active|', 'without a trace');
$b->safe_psql('postgres', q(SELECT sync_suspend_connection('From: wire', 'mine')));
is((post('update-status', "$me, \"status\": \"active\"}"))[0], 403, 'but not reactivate what was suspended here');
is((post('update-status', "$me, \"status\": \"suspended\"}"))[0], 200, 'nor by suspending it again');
is((post('update-status', "$me, \"status\": \"active\"}"))[0], 403, 'before that');
is((post('update-status', "$me, \"status\": \"revoked\"}"))[0], 200, 'it may revoke');
is((post('update-status', "$me, \"status\": \"active\"}"))[0], 403, 'which is final');
is(status($b, 'From: wire'), 'revoked', 'for both');
is((post('delete-connection', "$me}"))[0], 200, 'it may delete');
is((post('delete-connection', "$me}"))[0], 404, 'once');
is(rows(), '0', 'and the row is gone');
is($b->safe_psql('postgres', 'SELECT count(*) FROM sync_notices WHERE action <> \'suspended\''), '0', 'what the peer did is not told to it');
forget();

# Strangers cannot fill the table.
mode('require_approval');
$b->safe_psql('postgres', q(INSERT INTO sync_connections (name, direction, site_url, run_as) SELECT 'n' || i, 'receiver', 'http://s' || i, 'x' FROM generate_series(1, 99) i));
is((post('register-connection', "{$valid}"))[0], 200, 'the hundredth that waits');
is((post('register-connection', '{' . $valid =~ s/s.example/t.example/r . '}'))[0], 503, 'the next one');
is(rows(), '100', 'is not kept');
forget();

# Twenty at once: one row.
mode('auto_accept');
my @racers = map { my $n = $_; background($a, "SELECT 1 \\g /dev/null\n\\! perl -MIO::Socket::INET -e '\$s = IO::Socket::INET->new(PeerAddr => q(127.0.0.1), PeerPort => $b->{sync_port}) or exit; print \$s qq(POST /postgres/sync/v1/register-connection HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: " . length("{$valid}") . "\\r\\n\\r\\n) . q({$valid}); print substr(<\$s>, 9, 3), qq(\\n)'") } 1 .. 8;
my %answers;
foreach my $racer (@racers) { my $answer = finished($racer); $answers{$1}++ while $answer =~ /^(\d+)$/mg; }
is($answers{200}, 1, 'one of many at once is registered') or diag(explain(\%answers));
is(rows(), '1', 'once');

# Nothing secret is in any log, also where the call fails.
fails_with($a, "SELECT sync_create_connection('', 'receiver', 'http://localhost:1', token => 'tttttttttt')", '22023', undef, 'a token in a call that fails');
fails_with($a, q(SELECT sync_update_connection('no such', '{"download_password": "s3cret"}')), 'P0002', undef, 'a password in one');
foreach my $node ($a, $b)
{
	ok(!log_contains($node, qr/s3cret|S3cret|tttttttt/), 'no secret in the log');
	no_leftovers($node, $node->name);
}
done_testing();
