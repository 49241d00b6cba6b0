# PhoenixKit's HTTP JSON API: what sites tell each other of their connections (conformance cases 33
# to 36 and 41).
use strict;
use warnings;
use PhoenixApi;
use SyncTest;
use Test::More;

my $node = new_sync_node('sites');
my $error = sub { return "$_[0] {\"error\":\"$_[1]\",\"success\":false}" };
my ($token, $hash) = token_pair('a');
my %site = (sender_url => 'https://sender.example', auth_token_hash => $hash);
my $reload = sub {
	my ($sql) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM $sql") ;
	$node->safe_psql('postgres', 'SELECT pg_reload_conf()');
};
my $column = sub {
	my ($what, $where) = @_;
	return $node->safe_psql('postgres', "SELECT $what FROM sync_connections WHERE $where");
};

# ---- status; paths; methods; types -------------------------------------------------------------

my $open = '200 {"enabled":true,"incoming_mode":"require_approval","password_required":false}';
is(answers(api_at($node, '/phoenix_kit/sync/api/status')), $open, 'case 33: status');
for my $prefix ('', '/phoenix_kit', '/a/b/c', '/postgres', '/postgres/x')
{
	is(answers(api_at($node, "$prefix/sync/api/status")), $open, "case 41: prefix '$prefix'");
}
is(answers(api_at($node, '/sync/api/status', accept => $_)), $open, "case 41: Accept: $_")
  for ('*/*', 'application/json', 'text/html, application/*;q=0.5');
is((api_at($node, '/sync/api/status', accept => 'text/html'))[0], 406, 'Accept without JSON');
is((api_at($node, "/sync/api/$_"))[0], 404, "GET $_") for ('nothing', 'verify-connection');
is((api_at($node, '/sync/api/status', body => '{}'))[0], 404, 'POST status');
is((api_at($node, '/sync/api/verify-connection', body => $_))[0], 400, "malformed: $_")
  for ('{', '{"a":}', "{\"a\":\"\xff\"}", '[' x 1000);
is((api_at($node, '/sync/api/verify-connection', body => '{"a":"' . 'x' x 300000 . '"}'))[0],
	413, 'a body that is too large');
is(answers(api_at($node, '/sync/api/verify-connection', body => $_, type => 'application/json')),
	missing('sender_url', 'auth_token_hash'), "no object: $_")
  for ('[]', '5', 'null', '', '"x"');
is(answers(api_at($node, '/sync/api/verify-connection', body => '{"sender_url":"x"}', type => 'text/plain')),
	missing('sender_url', 'auth_token_hash'), 'a body of another type');

# ---- missing fields ----------------------------------------------------------------------------

my %required = (
	'register-connection' => [ 'sender_url', 'connection_name', 'auth_token' ],
	'delete-connection' => [ 'sender_url', 'auth_token_hash' ],
	'verify-connection' => [ 'sender_url', 'auth_token_hash' ],
	'update-status' => [ 'sender_url', 'auth_token_hash', 'status' ],
	'get-connection-status' => [ 'receiver_url', 'auth_token_hash' ]);
for my $operation (sort keys %required)
{
	my @fields = @{ $required{$operation} };
	is(answers(api($node, $operation, {})), missing(@fields), "case 33: $operation: all missing, in order");
	is(answers(api($node, $operation, { $fields[0] => undef, $fields[1] => '' })), missing(@fields),
		"case 33: $operation: null and \"\" are missing");
}

# ---- register ----------------------------------------------------------------------------------

my $register = sub {
	my ($number, %more) = @_;
	my ($new) = token_pair(chr(ord('A') + $number));
	return api($node, 'register-connection',
		{ sender_url => "https://s$number.example", connection_name => "Shop $number", auth_token => $new, unknown => [1], %more },
		headers => ['User-Agent: PhoenixKit-Sync/1.0']);
};
my ($status, undef, $reply) = $register->(1);
is($status, 200, 'case 34: require_approval');
is($reply->{connection_status}, 'pending', 'case 34: the row is pending');
is($column->("name, direction, site_url, status, approval_mode, metadata->>'registered_via', metadata->>'user_agent', metadata ? 'registered_at', metadata->>'remote_ip'",
		"uuid = '$reply->{connection_uuid}'"),
	'From: Shop 1|receiver|https://s1.example|pending|auto_approve|api|PhoenixKit-Sync/1.0|t|127.0.0.1', 'case 34: the row');
is(answers($register->(1)), $error->(409, 'Connection already exists for this site'), 'case 34: once for each site');
$node->safe_psql('postgres', "SELECT sync_set_incoming_mode('auto_accept')");
($status, undef, $reply) = $register->(2);
is("$status $reply->{message} $reply->{connection_status}", '200 Connection registered and activated active', 'case 34: auto_accept');
$node->safe_psql('postgres', "SELECT sync_set_incoming_mode('deny_all')");
is(answers($register->(3)), $error->(403, 'Incoming connections are not allowed'), 'case 34: deny_all');
is(answers(api($node, 'register-connection', {})), $error->(403, 'Incoming connections are not allowed'), 'case 34: deny_all before validation');
$node->safe_psql('postgres', "SELECT sync_set_incoming_mode('require_password')");
is(answers($register->(3, password => 'x')), $error->(401, 'Password required for incoming connections'), 'case 34: no password set here');
$node->safe_psql('postgres', "SELECT sync_set_incoming_password('s3cret')");
is(answers($register->(3)), $error->(401, 'Password required for incoming connections'), 'case 34: none');
is(answers($register->(3, password => '')), $error->(401, 'Password required for incoming connections'), 'case 34: ""');
is(answers($register->(3, password => 'wrong')), $error->(401, 'Invalid password'), 'case 34: a wrong one');
is(($register->(3, password => 's3cret'))[0], 200, 'case 34: the right one');
is((api_at($node, '/sync/api/status'))[2]{password_required}, JSON::PP::true, 'case 33: status says that a password is required');
is(answers($register->(4, password => 's3cret', sender_url => 'no url')), $error->(500, 'Failed to create connection'), 'what is no URL');
is(answers($register->(4, password => 's3cret', auth_token => 5)), $error->(500, 'Failed to create connection'), 'what is no token');
$node->safe_psql('postgres', "SELECT sync_set_incoming_mode('auto_accept')");
is((api_at($node, '/sync/api/register-connection?auth_token=query', type => 'application/x-www-form-urlencoded',
		body => 'sender_url=https%3A%2F%2Fform.example&connection_name=A+form&auth_token=' . 'f' x 43))[0], 200, 'case 41: a form');
is($column->('name', "site_url = 'https://form.example'"), 'From: A form', 'case 41: what the form said');

# ---- verify, update-status, delete -------------------------------------------------------------

is((api($node, 'register-connection', { sender_url => $site{sender_url}, connection_name => 'S', auth_token => $token }))[0], 200, 'registered');
is(answers(api($node, 'verify-connection', \%site)), '200 {"exists":true,"success":true}', 'case 33: verify');
for my $wrong ([ sender_url => 'https://sender.example/' ], [ auth_token_hash => uc $hash ], [ auth_token_hash => 5 ], [ auth_token_hash => {} ], [ sender_url => [] ])
{
	my $name = "$wrong->[0] " . (ref $wrong->[1] || $wrong->[1]);
	my %other = (%site, @$wrong);
	is(answers(api($node, 'verify-connection', \%other)), '404 {"exists":false,"success":false}', "case 36: verify with $name");
	is(answers(api($node, 'delete-connection', \%other)), $error->(404, 'Connection not found'), "case 36: delete with $name");
	is(answers(api($node, 'update-status', { %other, status => 'active' })), $error->(404, 'Connection not found'), "case 36: update-status with $name");
}
is(answers(api($node, 'update-status', { %site, status => $_ })), $error->(400, 'Invalid status value'), "case 33: status $_")
  for ('pending', 'expired', 'Active', 'x', 5);
is(answers(api($node, 'update-status', { %site, status => 'suspended' })), '200 {"message":"Status updated to suspended","success":true}', 'case 33: suspended');
is($column->('status', "site_url = '$site{sender_url}'"), 'suspended', 'suspended here');
is(answers(api($node, 'update-status', { %site, status => 'active' })), '200 {"message":"Status updated to active","success":true}', 'who has suspended may activate');
my $uuid = $column->('uuid', "site_url = '$site{sender_url}'");
$node->safe_psql('postgres', "SELECT sync_revoke_connection('$uuid', 'enough')");
is((api($node, 'update-status', { %site, status => 'active' }))[0], 403, 'what was revoked here stays so');
is($column->('status', "uuid = '$uuid'"), 'revoked', 'it does');
$reload->('SET sync.phoenix_reactivation = on');
wait_for(sub { (api($node, 'update-status', { %site, status => 'active' }))[0] eq '200' }, 'sync.phoenix_reactivation lets it');
is($column->('status', "uuid = '$uuid'"), 'active', 'activated by the peer');
is(answers(api($node, 'delete-connection', \%site)), '200 {"message":"Connection deleted","success":true}', 'case 33: delete');
is($column->('count(*)', "uuid = '$uuid'"), '0', 'deleted here');
is(answers(api($node, 'delete-connection', \%site)), $error->(404, 'Connection not found'), 'case 33: deleted twice');

# ---- get-connection-status ---------------------------------------------------------------------

my ($sender_token, $sender_hash) = token_pair('s');
$node->safe_psql('postgres', "SELECT sync_create_connection('To', 'sender', 'http://localhost:1', token => '$sender_token')");
my %asks = (receiver_url => 'https://receiver.example', auth_token_hash => $sender_hash);
is(answers(api($node, 'get-connection-status', \%asks)), '200 {"name":"To","status":"pending","success":true}', 'case 35: asking alone activates nothing');
is(answers(api($node, 'get-connection-status', { %asks, auth_token_hash => uc $sender_hash })), $error->(404, 'Connection not found'), 'case 33: unknown');
$reload->('SET sync.phoenix_activation = on');
wait_for(sub { (api($node, 'get-connection-status', \%asks))[2]{status} eq 'active' }, 'case 35: with sync.phoenix_activation it does');
is($column->('status', "name = 'To'"), 'active', 'case 35: active here');
$node->safe_psql('postgres', "SELECT sync_delete_connection('To'); SELECT sync_create_connection('Asks', 'sender', 'http://localhost:2', '{\"approval_mode\": \"require_approval\"}', token => '$sender_token')");
is((api($node, 'get-connection-status', \%asks))[2]{status}, 'pending', 'case 35: only with approval mode auto_approve');

# ---- disabled ----------------------------------------------------------------------------------

$node->safe_psql('postgres', 'SELECT sync_disable()');
is(answers(api_at($node, '/sync/api/status')), '200 {"enabled":false,"incoming_mode":"deny_all","password_required":false}', 'case 33: status works when disabled');
is(answers(api($node, $_, {})), $error->(503, 'DB Sync module is disabled'), "case 33: $_ when disabled")
  for (sort(keys %required), 'list-tables', 'pull-data', 'table-schema', 'table-records');
$node->safe_psql('postgres', 'SELECT sync_enable()');
$node->safe_psql('postgres', 'ALTER TABLE sync_connections RENAME TO gone');
is((api($node, 'verify-connection', \%site))[0], 503, 'case 36: trouble with the database is no 404');
$node->safe_psql('postgres', 'ALTER TABLE gone RENAME TO sync_connections');

no_leftovers($node, 'sites');
$node->stop;
done_testing();
