# What sites have to say to each other of permanent connections, to a PhoenixKit site: over its JSON API,
# played by interop/phoenix_sender.py.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = new_sync_node('site');
my %no = (success => JSON::PP::false, error => 'said by the site');
my %answer = (
	'register-connection' => [ 200, '{"success":true,"message":"Connection registered and activated","connection_status":"active","connection_uuid":"01970000-0000-7000-8000-000000000001"}' ],
	'verify-connection' => [ 200, '{"success":true,"exists":true}' ],
	'get-connection-status' => [ 200, '{"success":true,"status":"suspended","name":"x"}' ],
	'update-status' => [ 200, '{"success":true,"message":"Status updated to suspended"}' ],
	'delete-connection' => [ 200, '{"success":true,"message":"Connection deleted"}' ]);
sub site { my (%other) = @_; return start_sender({ tables => {}, codes => {}, sites => { %answer, %other } }); }
sub offer
{
	my ($name, $url) = @_;
	return $node->safe_psql('postgres',
		"SET client_min_messages = error; SELECT status, remote_status, remote_message FROM sync_create_connection('$name', 'sender', '$url', token => 'token-$name')");
}
sub verify { my ($name) = @_; return $node->safe_psql('postgres', "SELECT sync_verify_connection('$name')"); }

# A site that accepts.
my $site = site();
is(offer('shop', "$site->{api}/phoenix_kit"), 'active|active|Connection registered and activated', 'registered');
my $log = sender_log($site);
like($log, qr{^POST /phoenix_kit/sync/api/register-connection \{"sender_url":"http:[^"]+","connection_name":"shop","auth_token":"token-shop"\}$}m, 'as PhoenixKit wants it');
like($log, qr{GET /phoenix_kit/sync/api/status\nPOST /phoenix_kit/sync/api/}, 'after it was asked what it is');
is($node->safe_psql('postgres', q(SELECT metadata->'remote_notification'->>'remote_connection_uuid' FROM sync_connections)), '01970000-0000-7000-8000-000000000001', 'with its uuid');
is(verify('shop'), 'active', 'verified');
like(sender_log($site), qr{verify-connection \{"sender_url":"http:[^"]+","auth_token_hash":"[0-9a-f]{64}"}, 'by the hash');
$node->safe_psql('postgres', "SELECT sync_create_connection('from', 'receiver', '$site->{api}', token => 'abc')");
is(verify('from'), 'suspended', 'a receiver asks for its status, also without a path');
like(sender_log($site), qr{get-connection-status \{"receiver_url":"http:}, 'as who it is');

# What a status means (42, 43).
my @cases = (
	[ 'gone', [ 404, '{"success":false,"exists":false}' ], 'not_found' ],
	[ 'page', [ 404, '<html>Not Found</html>', 'text/html' ], 'error' ],
	[ 'down', [ 503, '{"success":false,"error":"Sync module is disabled"}' ], 'error' ],
	[ 'broken', [ 500, '' ], 'error' ],
	[ 'odd', [ 200, '[]' ], 'error' ]);
foreach my $case (@cases)
{
	my ($name, $reply, $word) = @$case;
	my $other = site('verify-connection' => $reply);
	offer($name, "$other->{api}/phoenix_kit");
	is(verify($name), $word, "$name: $word");
}
is($node->safe_psql('postgres', q(SELECT count(*) FROM sync_connections WHERE direction = 'sender')), 1 + @cases, 'no connection went away by that');
foreach my $case ([ 'denied', 403 ], [ 'password', 401 ], [ 'twice', 409 ])
{
	my ($name, $status) = @$case;
	my $other = site('register-connection' => [ $status, '{"success":false,"error":"said by the site"}' ]);
	is(offer($name, "$other->{api}/phoenix_kit"), 'pending|failed|said by the site', "$status: its reason");
}
my $nobody = free_port();
like(offer('offline', "http://127.0.0.1:$nobody"), qr/^pending\|offline\|/, 'nobody there');

# A job takes tables from such a site.
my $pulled = start_sender({ codes => {}, tokens => { sha256_hex('abc') => {} }, tables => {
	items => { columns => [ column('id', 'integer') ], rows => [ map { qq({"id":$_}) } 1 .. 300 ] } } });
$node->safe_psql('postgres', "CREATE TABLE items (id int PRIMARY KEY);
	SELECT sync_create_connection('jobs', 'receiver', '$pulled->{api}', token => 'abc');
	UPDATE sync_connections SET status = 'active' WHERE name = 'jobs'");
my $uuid = $node->safe_psql('postgres', "SELECT sync_transfer_async('jobs', tables => '{items}')");
wait_for(sub { $node->safe_psql('postgres', "SELECT status FROM sync_transfers WHERE uuid = '$uuid'") =~ /completed|failed/ }, 'the job has ended');
is($node->safe_psql('postgres', "SELECT status, records_created, error_message FROM sync_transfers WHERE uuid = '$uuid'; SELECT count(*) FROM items"), "completed|300|\n300", 'a job');

done_testing();
$node->stop;
