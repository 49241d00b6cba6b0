# Permanent connections to a PhoenixKit site in daily use: automatic syncs and jobs, also while the site
# is down for a while, and what calls and jobs leave in the history. The site is played by
# interop/phoenix_sender.py.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $node = new_sync_node('receiver');
sub sql { return $node->safe_psql('postgres', $_[0]); }

my @columns = (column('id', 'integer', nullable => JSON::PP::false), column('name', 'text'));
sub rows { return [ map { qq({"id":$_,"name":"n$_"}) } @_ ]; }
my $no = sub { return [ $_[0], '{"success":false,"error":"said by the site"}' ] };
my $site = start_sender({ codes => {}, tables => {
		items => { columns => \@columns, rows => rows(1 .. 250) },
		more => { columns => \@columns, rows => rows(1 .. 10) },
		odd => { columns => \@columns, rows => [ '{"id":1,"name":"a"}', '{"id":"x","name":"b"}' ] } },
	tokens => { sha256_hex('token') => {}, sha256_hex('refused') => { answer => { 'pull-data' => $no->(403) } },
		sha256_hex('busy') => { answer => { 'list-tables' => [ 503, '<html>Service Unavailable</html>', 'text/html' ] } } } });
my ($port) = $site->{api} =~ /:(\d+)$/;
my $way = peer_proxy({ sync_port => $port });
sql('CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE more (id int PRIMARY KEY, name text);
	CREATE TABLE odd (id int PRIMARY KEY, name text)');
sub connection
{
	my ($name, $token, $url) = @_;
	$url //= peer_proxy({ sync_port => $port })->{url} . '/phoenix_kit';    # one connection for each site
	return sql("SELECT FROM sync_create_connection('$name', 'receiver', '$url', token => '$token');
		UPDATE sync_connections SET status = 'active' WHERE name = '$name'");
}
connection('shop', 'token', "$way->{url}/phoenix_kit");

# The last row of the history of a connection.
sub last_row
{
	my ($name) = @_;
	return sql(qq(SELECT table_name, status, records_transferred, records_created, records_failed, bytes_transferred > 0, conflict_strategy, error_message
		FROM sync_transfer_list WHERE connection = '$name' ORDER BY inserted_at DESC LIMIT 1));
}
sub rows_of { my ($name) = @_; return sql("SELECT count(*) FROM sync_transfer_list WHERE connection = '$name'"); }

# ---- calls ---------------------------------------------------------------------------------------------

sql("SELECT FROM sync_pull('shop', tables => '{items,more}', strategy => 'overwrite')");
is( sql(q(SELECT table_name, status, records_transferred, records_created, direction, remote_site_url, initiated_by = current_user
		FROM sync_transfer_list ORDER BY table_name)),
	"items|completed|250|250|receive|$way->{url}/phoenix_kit|t\nmore|completed|10|10|receive|$way->{url}/phoenix_kit|t", 'a call leaves a row for each table');
wait_for(sub { sql('SELECT total_transfers FROM sync_connections') eq '1' }, 'the totals are counted');
is(sql('SELECT total_records_transferred, total_bytes_transferred > 0, last_transfer_at IS NOT NULL FROM sync_connections'), '260|t|t', 'the totals of the connection');
sql(q(SELECT sync_connect('shop') AS c \gset
	SELECT FROM sync_transfer(:c, 'odd', max_errors => 5)));
is(last_row('shop'), 'odd|completed|2|1|1|t|skip|', 'a row that fails is counted');
fails_with($node, "SELECT sync_connect('shop') AS c \\gset\nSELECT sync_transfer(:c, 'odd')", '22P02', undef, 'a row that fails');
wait_for(sub { rows_of('shop') == 4 }, 'the failed call is noted');
like(last_row('shop'), qr/^odd\|failed\|0\|0\|0\|f\|skip\|invalid input syntax for type integer: "x"/, 'a call that failed');
sql(q(SELECT sync_connect('shop') AS c \gset
	BEGIN; SELECT FROM sync_transfer(:c, 'more'); ROLLBACK));
wait_for(sub { rows_of('shop') == 5 }, 'the call that was undone is noted');
is(last_row('shop'), 'more|cancelled|0|0|0|t|skip|transaction was rolled back', 'a call that was undone');
$way->{mode}->('refuse');
fails_with($node, "SELECT sync_pull('shop')", '08006', qr/connection lost/, 'a site that is down');
wait_for(sub { rows_of('shop') == 6 }, 'it is noted');
like(last_row('shop'), qr/^\*\|failed\|0\|0\|0\|f\|skip\|connection lost/, 'a site that is down');
$way->{mode}->('gateway');
foreach my $url ("'shop'", "'$way->{url}', 'ABCDEFGH'", "'$way->{url}', 'ABCDEFGH', protocol => 'phoenix'", "'$way->{url}', token => 'token', protocol => 'phoenix'")
{
	fails_with($node, "SELECT sync_connect($url)", '08001', qr/could not connect.*DETAIL:.*status 502: <html>Bad Gateway/s, "a proxy whose site is down: $url");
}
$way->{mode}->('pass');

# ---- jobs ------------------------------------------------------------------------------------------------

# The row of a job, once it has that status.
sub job
{
	my ($uuid, $status, $what) = @_;
	wait_for(sub { sql("SELECT status FROM sync_transfers WHERE uuid = '$uuid'") eq $status }, "$what: $status");
	return sql("SELECT records_created, records_skipped, attempts, error_message FROM sync_transfers WHERE uuid = '$uuid'");
}
sub start { my ($name, $tables) = @_; return sql("SELECT sync_transfer_async('$name', tables => '{$tables}')"); }

# A site that is down for a while: in each way of being down the job is tried again.
my %down = (refuse => qr/connection lost/, gateway => qr/could not connect.*502/s);
foreach my $mode (sort keys %down)
{
	sql('TRUNCATE items');
	$way->{mode}->($mode);
	my $uuid = start('shop', 'items');
	wait_for(sub { sql("SELECT attempts > 0 AND status = 'pending' FROM sync_transfers WHERE uuid = '$uuid'") eq 't' }, "$mode: the job has failed once");
	like(sql("SELECT next_attempt_at > started_at, error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/^t\|.*$down{$mode}/, "$mode: it waits, and says why");
	$way->{mode}->('pass');
	like(job($uuid, 'completed', $mode), qr/^250\|0\|[23]\|$/, "$mode: with the site back it is done");
	is(sql('SELECT count(*), sum(id) FROM items'), '250|31375', "$mode: every row is here");
}
connection('busy', 'busy');
my $uuid = start('busy', 'items');
wait_for(sub { sql("SELECT attempts > 0 AND status = 'pending' FROM sync_transfers WHERE uuid = '$uuid'") eq 't' }, 'busy: the job has failed once');
like(sql("SELECT error_message FROM sync_transfers WHERE uuid = '$uuid'"), qr/could not connect to the peer\nDETAIL: .*Service Unavailable.*status 503/, 'busy: it will be tried again');
sql("SELECT sync_cancel_transfer('$uuid')");

# What does not pass by itself ends the job.
connection('unknown', 'nix');
like(job(start('unknown', 'items'), 'failed', 'a token that is not known'), qr/^\|?0?\|?0?\|1\|the peer does not know the token/, 'a token that is not known');
connection('refused', 'refused');
like(job(start('refused', 'items'), 'failed', 'a refusal'), qr/1\|the peer refuses to give table "items"\nDETAIL: remote: said by the site/, 'a refusal');
like(job(start('shop', 'nix'), 'failed', 'an unknown table'), qr/1\|.*"nix"/, 'an unknown table');
soon_is($node, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sync job worker'), '0', 'no worker is left');

# ---- automatic syncs ---------------------------------------------------------------------------------------

sub runs { my ($status) = @_; return sql("SELECT count(*) FROM sync_transfers WHERE job @> '{\"automatic\": true}' AND status = '$status'"); }
sub now_due { return sql(q(UPDATE sync_connections SET auto_sync_due_at = now() WHERE name = 'shop'; SELECT sync_update_connection('shop', '{}'))); }
sql(q(UPDATE items SET name = 'old'; DELETE FROM items WHERE id > 200;
	SELECT sync_update_connection('shop', '{"auto_sync_enabled": true, "auto_sync_interval_minutes": 60, "auto_sync_tables": ["items"], "default_conflict_strategy": "overwrite"}')));
wait_for(sub { runs('completed') eq '1' }, 'the first automatic sync');
is(sql(q(SELECT count(*), count(*) FILTER (WHERE name = 'n' || id) FROM items)), '250|250', 'it has overwritten and added');
is( sql(q(SELECT table_name, conflict_strategy, records_created, records_updated, records_skipped, bytes_transferred > 0, run_as = current_user
		FROM sync_transfers WHERE job @> '{"automatic": true}')), 'items|overwrite|50|200|0|t|t', 'its row tells what it did');
sql('DELETE FROM items WHERE id = 7');
now_due();
wait_for(sub { runs('completed') eq '2' }, 'the second one');
is(sql('SELECT name FROM items WHERE id = 7'), 'n7', 'it has brought what was missing');

# Down for longer than a job is tried: the next one comes all the same.
$way->{mode}->('gateway');
now_due();
wait_for(sub { runs('failed') eq '1' }, 'the site is down for long');
soon_is($node, q(SELECT auto_sync_failures, auto_sync_due_at > now() FROM sync_connections WHERE name = 'shop'), '1|t', 'the failure is counted, another sync is planned');
is(sql(q(SELECT attempts FROM sync_transfers WHERE job @> '{"automatic": true}' AND status = 'failed')), '3', 'after three attempts');
sql('TRUNCATE items');
$way->{mode}->('pass');
now_due();
wait_for(sub { runs('completed') eq '3' }, 'the site is back');
is(sql('SELECT count(*) FROM items'), '250', 'everything is here again');
wait_for(sub { sql(q(SELECT auto_sync_failures FROM sync_connections WHERE name = 'shop')) eq '0' }, 'the failures are forgotten');

no_leftovers($node, 'receiver');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
