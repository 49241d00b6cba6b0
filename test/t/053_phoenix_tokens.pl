# A PhoenixKit site that comes with the token of a permanent connection: its policies hold on a
# socket as they do everywhere. The numbers are those of the conformance cases in README.md.
use strict;
use warnings;
use lib 'perl';
use JSON::PP;
use PhoenixSocket;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $node = new_sync_node('sender', conf => "sync.max_pending = 16\nsync.max_connections = 10\nsync.reconnect_grace = 1s\n");
my $port = $node->{sync_port};
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE users (id int PRIMARY KEY, name text);
INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 10) i;
CREATE TABLE posts (id int PRIMARY KEY);
CREATE TABLE secret (id int PRIMARY KEY);
CREATE TABLE schema_migrations (id int PRIMARY KEY);
CREATE ROLE sharer;
GRANT SELECT ON users, posts, secret TO sharer;
SQL

sub connection { return add_sender($node, @_); }
sub column { my ($name, $column) = @_; return $node->safe_psql('postgres', "SELECT $column FROM sync_connections WHERE name = '$name'"); }
sub open_token { my ($token, $more, $prefix) = @_; return PhoenixSocket->open_socket($port, ($prefix // '') . "/sync/websocket?token=$token" . ($more // ''), 'User-Agent' => 'Site/1'); }
sub refused
{
	my ($token, $body, $name, $more) = @_;
	is_deeply({ %{ open_token($token, $more) } }, { status => 403, type => 'text/plain; charset=utf-8', body => $body }, $name);
}
sub joined
{
	my ($token, $topic, $prefix, $more) = @_;
	my $ws = open_token($token, $more, $prefix);
	$ws->send_json(undef, '1', $topic // 'transfer:conn', 'phx_join', {});
	is($ws->receive->[4]{status}, 'ok', 'joined');
	return $ws;
}

# ---- the upgrade ---------------------------------------------------------------------------------

my $hour = $node->safe_psql('postgres', q(SELECT extract(hour FROM now() AT TIME ZONE 'UTC')::int));
my ($before, $after) = (($hour + 22) % 24, ($hour + 2) % 24);
foreach (
	[ 'row 5', q(status = 'suspended'), 'Connection not active' ],
	[ 'row 6', q(expires_at = now() - interval '1 second'), 'Connection expired' ],
	[ 'row 7', 'max_downloads = 1, downloads_used = 1', 'Download limit reached' ],
	[ 'row 8', 'max_records_total = 10, records_downloaded = 10', 'Record limit reached' ],
	[ 'row 9', q(ip_whitelist = '{192.0.2.0/24}'), 'IP not allowed' ],
	[ 'row 10', "allowed_hours_start = $after, allowed_hours_end = $before", 'Outside allowed hours' ])
{
	my ($row, $set, $body) = @$_;
	my ($token, $name) = connection(set => $set);
	my $used = column($name, 'downloads_used');
	refused($token, $body, "3: $row");
	is(column($name, 'downloads_used'), $used, "3: $row takes no download");
}
refused('A' x 43, 'Invalid token', '3: row 4');
{
	my ($token, $name) = connection(settings => '{"download_password": "pass word"}');
	refused($token, 'Invalid password', '3: row 11, no password');
	refused($token, 'Invalid password', '3: row 11, a wrong one', '&password=x');
	my $ws = joined($token, undef, undef, '&password=pass%20word');
	is($ws->close, 1000, '3: row 11, the right one');
	is(column($name, 'downloads_used'), '1', '3: and only that takes a download');
	unlike(slurp_file($node->logfile), qr/pass word|pass%20word|$token/, 'neither is in the log');
}
{
	my ($token, $name) = connection();
	my $answer = PhoenixSocket->open_socket($port, "/sync/websocket?token=$token", 'Sec-WebSocket-Version' => undef);
	is($answer->{status}, 400, '5: a bad handshake');
	is(column($name, 'downloads_used'), '0', '5: takes no download');
	my $uuid = column($name, 'uuid');
	my $code = new_code($node);
	my $ws = open_token($token, "&code=$code", '/phoenix_kit');
	$ws->send_json(undef, '1', "transfer:$code", 'phx_join', {});
	is($ws->receive->[4]{response}{reason}, 'code_mismatch', '8: the topic of a code');
	$ws->send_json(undef, '1', "transfer:conn:$uuid", 'phx_join', {});
	is_deeply($ws->receive, [ undef, '1', "transfer:conn:$uuid", 'phx_reply', { status => 'ok', response => {} } ], '7: the topic of a connection');
	$ws->send_json(undef, '2', 'x', 'request:count', { table => 'users', ref => '2' });
	is_deeply($ws->receive, [ undef, undef, "transfer:conn:$uuid", 'response:count', { count => 10, ref => '2' } ], 'answers go out under it');
	is($node->safe_psql('postgres', "SELECT status FROM sync_get_session('$code')"), 'pending', '3: the token wins, and the code is not spent');
	is($node->safe_psql('postgres', "SELECT session, role, database FROM sync_peers() WHERE session = '$uuid'"), "$uuid|sharer|postgres", 'the peer is shown');
	is($ws->close, 1000, 'closed');
}
{
	$node->safe_psql('postgres', 'CREATE DATABASE shop');
	$node->safe_psql('shop', 'CREATE EXTENSION sync; SELECT sync_enable(); CREATE TABLE goods (id int PRIMARY KEY); GRANT SELECT ON goods TO sharer');
	my $token = $node->safe_psql('shop', "SELECT token FROM sync_create_connection('s', 'sender', 'https://s.example', run_as => 'sharer')");
	$node->safe_psql('shop', "SELECT FROM sync_approve_connection('s')");
	my $ws = joined($token, undef, '/shop');
	is_deeply([ map { $_->{name} } @{ ($ws->ask('request:tables'))[1]{tables} } ], ['goods'], '6: the first segment of the path names the database');
	is($ws->close, 1000, 'closed');
}

# ---- requests ------------------------------------------------------------------------------------

{
	my ($token, $name) = connection(settings => '{"allowed_tables": ["users", "secret", "nix"], "excluded_tables": ["secret"], "max_records_per_request": 3, "rate_limit_requests_per_minute": 1000}');
	my $ws = joined($token);
	is_deeply([ map { $_->{name} } @{ ($ws->ask('request:tables'))[1]{tables} } ], ['users'], '26: tables that are not allowed are not listed');
	foreach my $event (qw(schema count records))
	{
		foreach my $table (qw(posts secret schema_migrations))
		{
			is(($ws->ask("request:$event", table => $table))[1]{error}, "Access denied to table: $table", "26: $event of one");
		}
	}
	is(($ws->ask('request:count', table => 'nix'))[1]{error}, 'Failed to get count: :table_not_found', '26: an allowed table that is not there');
	my (@ids, @sizes);
	for (my ($offset, $more) = (0, 1); $more && @sizes < 10;)
	{
		my (undef, $page) = $ws->ask('request:records', table => 'users', offset => $offset, limit => 500);
		push @sizes, scalar @{ $page->{records} };
		push @ids, map { $_->{id} } @{ $page->{records} };
		$offset += @{ $page->{records} };
		$more = $page->{has_more};
	}
	is("@sizes", '3 3 3 1', '27: pages of max_records_per_request');
	is_deeply(\@ids, [ 1 .. 10 ], '27: and has_more is true while there are more');
	is(scalar @{ ($ws->ask('request:records', table => 'users', limit => 2))[1]{records} }, 2, '27: fewer if fewer are asked for');
	is($ws->close, 1000, 'closed');
	wait_for(sub { column($name, "concat_ws(',', downloads_used, records_downloaded, total_transfers, total_records_transferred)") eq '1,12,5,12' }, 'the counters');
	is(column($name, "concat_ws(',', downloads_used, records_downloaded, total_transfers, total_records_transferred)"), '1,12,5,12', '27: counters add up over pages');
	is($node->safe_psql('postgres', "SELECT string_agg(records_transferred::text, ',' ORDER BY records_transferred), string_agg(DISTINCT concat_ws(' ', t.direction, table_name, t.status, requester_ip, requester_user_agent), ',') FROM sync_transfers t JOIN sync_connections c ON c.uuid = t.connection_uuid WHERE name = '$name'"),
		'1,2,3,3,3|send users completed 127.0.0.1 Site/1', '27: and so does the history');
}
{
	my ($token, $name) = connection(settings => '{"max_records_total": 4, "rate_limit_requests_per_minute": 4}');
	my $ws = joined($token);
	is(scalar @{ ($ws->ask('request:records', table => 'users', limit => 4))[1]{records} }, 4, 'as many records as are left');
	is(($ws->ask('request:records', table => 'users', limit => 4))[1]{error}, 'Record limit reached', 'and no more');
	$node->safe_psql('postgres', "UPDATE sync_connections SET max_records_total = NULL, status = 'active' WHERE name = '$name'");
	is(($ws->ask('request:count', table => 'users'))[1]{count}, 10, 'a policy that changes is in force at the next request');
	is(($ws->ask('request:count', table => 'users'))[1]{count}, 10, 'what was refused does not count');
	is(($ws->ask('request:count', table => 'users'))[1]{error}, 'Rate limit exceeded', 'the rate, in which connecting is counted');
	is($ws->close, 1000, 'closed');
	my $answer = open_token($token);
	is("$answer->{status} $answer->{body}", '429 Rate limit exceeded', 'nor is there another socket');
	is(column($name, 'downloads_used'), '1', 'which takes no download');
}
{
	my ($token, $name) = connection(settings => '{"max_records_total": 5, "rate_limit_requests_per_minute": 1000}');
	my $ws = joined($token);
	my (undef, $page) = $ws->ask('request:records', table => 'users', limit => 3);
	is(join(' ', map { $_->{id} } @{ $page->{records} }), '1 2 3', 'a page within the limit of records');
	(undef, $page) = $ws->ask('request:records', table => 'users', limit => 3, offset => 3);
	is(join(' ', map { $_->{id} } @{ $page->{records} // [] }), '4 5', 'one that goes past it is cut to what is left');
	ok($page->{has_more}, 'and says that there is more');
	is(($ws->ask('request:records', table => 'users', limit => 3, offset => 5))[1]{error}, 'Record limit reached', 'which is not to be had');
	is($ws->close, 1000, 'closed');
	wait_for(sub { column($name, 'records_downloaded') eq '5' }, 'what was sent is counted');
	is($node->safe_psql('postgres', "SELECT string_agg(records_transferred || ' ' || t.status, ',' ORDER BY t.started_at) FROM sync_transfers t JOIN sync_connections c ON c.uuid = t.connection_uuid WHERE name = '$name'"),
		'3 completed,2 completed', 'and in the history');
}
{
	my ($token, $name) = connection(settings => '{"approval_mode": "require_approval"}');
	my $ws = joined($token);
	is(($ws->ask('request:count', table => 'users'))[1]{count}, 10, 'a count needs no approval');
	is(($ws->ask('request:records', table => 'users'))[1]{error}, 'Waiting for approval', 'rows do');
	is($node->safe_psql('postgres', "SELECT count(sync_approve_transfer(uuid)) FROM sync_transfers WHERE status = 'pending_approval'"), '1', 'which is given');
	is(scalar @{ ($ws->ask('request:records', table => 'users', limit => 6))[1]{records} // [] }, 6, 'then they come');
	is(scalar @{ ($ws->ask('request:records', table => 'users', limit => 6, offset => 6))[1]{records} // [] }, 4, 'and the next page belongs to it');
	$node->safe_psql('postgres', "SELECT FROM sync_suspend_connection('$name')");
	is($ws->close_code, 1000, 'a connection that is suspended closes its sockets');
	refused($token, 'Connection not active', 'and lets nobody in');
}

no_leftovers($node, 'sender');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
