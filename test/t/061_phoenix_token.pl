# PhoenixKit sites by token: their HTTP JSON API, played by interop/phoenix_sender.py.
use strict;
use warnings;
use lib 'perl';
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $node = new_sync_node('receiver');
my @columns = (column('id', 'integer', nullable => JSON::PP::false), column('name', 'character varying', max_length => 20));
sub items { return map { qq({"id":$_,"name":"n$_"}) } @_; }
my %tables = (items => { columns => \@columns, rows => [ items(1 .. 250) ] }, empty => { columns => \@columns, rows => [] });
my $no = sub { return [ $_[0], '{"success":false,"error":"said by the site"}' ] };

my %plays = (
	plain => {},
	truncated => { pull_limit => 100 },
	truncated_small_pages => { pull_limit => 100, page_rows => 7 },
	no_pages => { pull_limit => 100, answer => { 'table-records' => [ 500, '' ] } },
	no_pages_json => { pull_limit => 100, answer => { 'table-records' => $no->(500) } },
	forbidden => { answer => { 'pull-data' => $no->(403) } },
	not_active => { answer => { 'list-tables' => $no->(403) } },
	gone => { answer => { 'pull-data' => $no->(404) } },
	html404 => { answer => { 'pull-data' => [ 404, '<html>Not Found</html>', 'text/html' ] } },
	limited => { answer => { 'pull-data' => $no->(429) } },
	disabled => { answer => { 'list-tables' => $no->(503) } },
	failing => { answer => { 'pull-data' => [ 500, '' ] } },
	failing_json => { answer => { 'pull-data' => $no->(500) } },
	unsuccessful => { answer => { 'pull-data' => $no->(200) } },
	html => { answer => { 'pull-data' => [ 200, '<html>Welcome</html>', 'text/html' ] } },
	no_data => { answer => { 'pull-data' => [ 200, '{"success":true}' ] } },
	no_objects => { answer => { 'pull-data' => [ 200, '{"success":true,"data":[1]}' ] } },
	odd_list => { answer => { 'list-tables' => [ 200, '{"success":true,"tables":[{"name":5}]}' ] } });
my $site = start_sender({ tables => \%tables, codes => {}, tokens => { map { sha256_hex("token-$_") => $plays{$_} } keys %plays } });

sub script
{
	my ($play, $sql, %how) = @_;
	my $url = $how{url} || "$site->{api}/phoenix_kit";
	my $protocol = $how{protocol} || 'auto';
	return "SELECT sync_connect('$url', token => 'token-$play', protocol => '$protocol') AS c \\gset\n$sql;\nSELECT sync_disconnect(:c) \\g /dev/null\n";
}
sub run { my @args = @_; return $node->safe_psql('postgres', script(@args)); }
my $transfer = "SELECT created, updated, skipped FROM sync_transfer(:c, 'items', strategy => 'overwrite')";
sub refuses { my ($play, $sqlstate, $text, %how) = @_; return fails_with($node, script($play, $how{sql} || $transfer, %how), $sqlstate, $text, $play); }

# ---- the whole way ---------------------------------------------------------------------------------

is(run('plain', "SELECT name, row_count FROM sync_remote_list_tables(:c); SELECT sync_remote_get_count(:c, 'items');
	SELECT protocol FROM sync_clients();
	SELECT sync_remote_get_schema(:c, 'items') -> 'columns' -> 1 ->> 'type';
	SELECT table_name, created FROM sync_transfer_all(:c)", url => $site->{api}),
	"empty|0\nitems|250\n250\nphoenix\ncharacter varying(20)\nempty|0\nitems|250", 'lists, counts, describes, transfers');
my $log = sender_log($site);
my $hash = sha256_hex('token-plain');
like($log, qr{\AGET /sync/v1/\nGET /phoenix_kit/sync/api/status\nPOST /phoenix_kit/sync/api/list-tables \{"auth_token_hash":"$hash","accept_encoding":\["pgtext"\]\}\n}, 'found out first, then the hash');
unlike($log, qr/token-plain/, 'the token itself is never sent');
unlike($log, qr/table-records/, 'a table comes at once');
is($node->safe_psql('postgres', 'SELECT count(*), sum(id), pg_typeof(min(name)) FROM items'), '250|31375|text', 'every row has come');
$node->safe_psql('postgres', 'DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, name text)');
is(run('plain', $transfer, protocol => 'phoenix'), '250|0|0', 'without asking whether it is native');
is(run('plain', $transfer), '0|0|250', 'again: all equal');
is(run('plain', "SELECT r ->> 'id' FROM sync_remote_fetch(:c, 'items', 3, 120) r"), "121\n122\n123", 'rows of a part');
is($node->safe_psql('postgres', "SELECT table_name, skipped FROM sync_pull('$site->{api}', token => 'token-plain', tables => ARRAY['items'])"), 'items|250', 'sync_pull');
fails_with($node, "SELECT sync_connect('$site->{api}', token => 'wrong')", '28000', qr/does not know the token.*remote: Invalid connection \(status 401\)/s, 'an unknown token');
fails_with($node, "SELECT sync_connect('$site->{api}', token => 'token-plain', password => 'x')", '0A000', qr/takes no password/, 'a password');

# The token's hash is a credential too: nothing gets it that is no PhoenixKit site.
sender_log($site);
fails_with($node, "SELECT sync_connect('$site->{api}/other', token => 'token-plain', protocol => '$_')", '08P01', qr/no (?:sync server|PhoenixKit site)/, "$_: another path") foreach qw(auto phoenix native);
unlike(sender_log($site), qr/POST/, 'nothing was posted there');

# ---- a site that gives a part (44) --------------------------------------------------------------------

foreach my $play (qw(truncated truncated_small_pages))
{
	$node->safe_psql('postgres', 'TRUNCATE items');
	is(run($play, $transfer), '250|0|0', "$play: the rest comes in pages");
	is($node->safe_psql('postgres', 'SELECT count(*), sum(id) FROM items'), '250|31375', "$play: every row, once");
}
refuses('no_pages', '54000', qr/gives only a part of table "items".*250 rows and gave 100 at once.*status 500.*HINT:.*code/s);
refuses('no_pages_json', '54000', qr/gives only a part.*said by the site/s);

# ---- what a status means (42, 43) ---------------------------------------------------------------------

refuses('forbidden', '42501', qr/refuses to give table "items".*remote: said by the site \(status 403\)/s);
refuses('not_active', '42501', qr/status 403/);
refuses('gone', '42P01', qr/does not have table "items"/);
refuses('html404', '08P01', qr/does not answer as a PhoenixKit site.*status 404/s);
refuses('limited', '53400', qr/too often/);
refuses('disabled', '55000', qr/disabled at the peer/);
refuses('failing', '08P01', qr/status 500/);
refuses('failing_json', 'XX000', qr/could not give table "items".*said by the site \(status 500\)/s);
refuses('unsuccessful', 'XX000', qr/said by the site/);
refuses('html', '08P01', qr/does not answer as a PhoenixKit site/);
refuses($_, '08P01', qr/records of the peer are malformed/) foreach qw(no_data no_objects);
refuses('odd_list', '08P01', qr/"name" must be a string/);
fails_with($node, "SELECT sync_connect('http://127.0.0.1:" . free_port() . "', token => 'token-plain', protocol => 'phoenix')", '08001', qr/could not connect/, 'nobody there');

# ---- what such a peer cannot do ------------------------------------------------------------------------

refuses('plain', '0A000', qr/cannot be mirrored/, sql => "SELECT created FROM sync_transfer(:c, 'items', strategy => 'mirror')");
refuses('plain', '0A000', qr/takes no rows/, sql => "SELECT created FROM sync_push(:c, 'items')");
refuses('plain', '42P01', qr/is not listed/, sql => "SELECT sync_remote_get_count(:c, 'nothing')");
refuses('plain', '0A000', qr/row_offset/, sql => "SELECT sync_remote_fetch(:c, 'items', after => '{\"id\": 1}')");

done_testing();
$node->stop;
