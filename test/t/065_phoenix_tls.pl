# PhoenixKit over TLS: its sites are read from here, by code over wss and by token over https, and read
# from here themselves. A site whose certificate is not in order learns neither code nor token.
use strict;
use warnings;
use lib 'perl';
use Certificates;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $ca = authority('ca');
my $stranger = authority('stranger');
my @good = certificate('ca', 'good', 'DNS:localhost,IP:127.0.0.1');
my @elsewhere = certificate('ca', 'elsewhere', 'DNS:elsewhere.example');
my @expired = certificate('ca', 'expired', 'DNS:localhost', -1);

my $node = new_sync_node('site', conf => <<"CONF");
ssl = on
ssl_cert_file = '$good[0]'
ssl_key_file = '$good[1]'
sync.ssl = require
sync.ssl_ca_file = '$ca'
CONF
sub query { return $node->safe_psql('postgres', $_[0]); }
sub trust { query("ALTER SYSTEM SET sync.ssl_ca_file = '$_[0]'"); $node->reload; return; }

my @columns = (column('id', 'integer', nullable => JSON::PP::false), column('name', 'text'));
my %items = (items => { columns => \@columns, key => ['id'], rows => [ map { qq({"id":$_,"name":"n$_"}) } 1 .. 2500 ] });
my %wide = (wide => { columns => \@columns, key => ['id'], rows => [ map { '{"id":' . $_ . ',"name":"' . ('x' x 20000) . '"}' } 1 .. 1200 ] });
sub site
{
	my ($files) = @_;
	return start_sender({ tls => $files, tables => { %items, %wide }, codes => { map { $_ => {} } qw(ANYP2345 PHNX2345 BGGR2345) },
		tokens => { sha256_hex('token') => {} }, sites => { 'get-connection-status' => [ 200, '{"success":true,"status":"active"}' ] } });
}

# ---- a site is read from here ----------------------------------------------------------------------

my $site = site(\@good);
my $pull = sub { my ($rest, $tables) = @_; return "SELECT created FROM sync_pull($rest, tables => '{$tables}')"; };
is(query($pull->("'$site->{socket}/phoenix_kit', 'ANYP2345'", 'items')), '2500', 'by code over wss');
is(query('SELECT count(*), sum(id) FROM items'), '2500|3126250', 'every row');
query('DROP TABLE items');
is(query("SELECT created FROM sync_connect('$site->{socket}', 'PHNX2345', protocol => 'phoenix') c, sync_transfer(c, 'items')" =~ s/https:/wss:/r), '2500', 'written as wss, without a path');
is(query($pull->("'$site->{socket}', 'BGGR2345'", 'wide')), '1200', 'large messages, in many records of TLS');
is(query('SELECT count(*), sum(length(name)) FROM wide'), '1200|24000000', 'every byte');
query('TRUNCATE items');
is(query($pull->("'$site->{api}', token => 'token'", 'items')), '2500', 'by token over https');

# Stored connections and their jobs.
query("SELECT sync_create_connection('shop', 'receiver', '$site->{api}/phoenix_kit', token => 'token');
	UPDATE sync_connections SET status = 'active' WHERE name = 'shop'; TRUNCATE items;");
my $uuid = query("SELECT sync_transfer_async('shop', tables => '{items}')");
wait_for(sub { query("SELECT status FROM sync_transfers WHERE uuid = '$uuid'") =~ /completed|failed/ }, 'the job has ended');
is(query("SELECT status, records_created, error_message FROM sync_transfers WHERE uuid = '$uuid'"), 'completed|2500|', 'a job over https');

# ---- certificates that are not in order ----------------------------------------------------------------

# Refused by each way in, and the site has heard nothing.
sub refused
{
	my ($other, $text, $name) = @_;
	sender_log($other);
	my %how = (
		"code" => "'$other->{socket}/phoenix_kit', 'ANYP2345'",
		"code, phoenix" => "'$other->{socket}/phoenix_kit', 'ANYP2345', protocol => 'phoenix'",
		"token" => "'$other->{api}/phoenix_kit', token => 'token'",
		"token, phoenix" => "'$other->{api}/phoenix_kit', token => 'token', protocol => 'phoenix'");
	fails_with($node, "SELECT sync_connect($how{$_})", '08001', $text, "$name: by $_") foreach sort keys %how;
	is(sender_log($other), '', "$name: nothing was said");
	return;
}
my $hint = qr/certificate.*HINT:  .*sync\.ssl_ca_file/s;
trust($stranger);
refused(site(\@good), $hint, 'an authority that is not known');
trust('');
refused(site(\@good), $hint, 'nor is it one of the system');
trust($ca);
refused(site(\@elsewhere), qr/'?localhost'?/, 'another name');
refused(site(\@expired), qr/certificate has expired/, 'expired');
is(query("SELECT sync_verify_connection('shop')"), 'active', 'with the right one a connection is verified');

# A stored connection, with a site whose certificate has changed.
my $changed = site(\@elsewhere);
query("UPDATE sync_connections SET site_url = '$changed->{api}' WHERE name = 'shop'");
fails_with($node, "SELECT sync_connect('shop')", '08001', qr/localhost/, 'a stored connection');
is(query("SELECT sync_verify_connection('shop')"), 'offline', 'it is not taken for gone');
is(sender_log($changed), '', 'nothing was said there either');

# With TLS on one side only.
my $plain = start_sender({ tables => {}, codes => { ANYP2345 => {} }, tokens => {} });
fails_with($node, "SELECT sync_connect('$plain->{socket}', 'ANYP2345')" =~ s/http:/https:/r, '08001', qr/HINT:.*http:/s, 'the site has none');
fails_with($node, "SELECT sync_connect('$site->{socket}', 'ANYP2345')" =~ s/https:/http:/r, '08006', undef, 'the site has nothing else');

# ---- a site reads from here --------------------------------------------------------------------------

query(q(CREATE TABLE users (id int PRIMARY KEY, name text);
	INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
	CREATE TABLE big (id int PRIMARY KEY, v text);
	INSERT INTO big SELECT i, repeat(chr(97 + i % 26), 10000) FROM generate_series(1, 1000) i;));
my $at = "localhost:$node->{sync_port}";
sub result_of
{
	my ($name, @command) = @_;
	my ($out, $err) = ('', '');
	my $ok = eval { IPC::Run::run(\@command, '<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(120)) };
	ok($ok, "$name: runs") or diag("@command: $@ $out $err");
	return eval { decode_json((split /\n/, $out)[-1] // '') } // {};
}
{
	my $code = new_code($node);
	my $got = result_of('websockets', '/usr/bin/python3', 'interop/websockets_client.py', "wss://$at/phoenix_kit/sync/websocket", $code, $ca);
	is_deeply([ @$got{ 'no code', 'unknown code', 'used code' } ], [ 403, 403, 403 ], 'websockets: refusals');
	like($got->{'no authority'}, qr/unable to get local issuer certificate/, 'websockets: it does look at the certificate');
	is_deeply($got->{join}, [ undef, '1', "transfer:$code", 'phx_reply', { status => 'ok', response => {} } ], 'websockets: join');
	is($got->{fragments}[4]{count}, 1000, 'websockets: a request in fragments');
	is($got->{big}, 10_000_000, 'websockets: an answer of 10 MB');
	is($got->{closed}, 1000, 'websockets: closed');
}
{
	local $ENV{NODE_PATH} = ($ENV{SYNC_NODE} // '') . '/node_modules';
	local $ENV{NODE_EXTRA_CA_CERTS} = $ca;
	my $got = result_of('phoenix', 'node', 'interop/phoenix_client.js', "wss://$at/phoenix_kit/sync", new_code($node));
	is_deeply($got->{errors}, [], 'phoenix: no errors');
	is_deeply($got->{ids}, [ 1 .. 1000 ], 'phoenix: records, page by page');
	is($got->{big}, 10_000_000, 'phoenix: an answer of 10 MB');
}
{
	my ($status, $err) = ('', '');
	my @curl = ('curl', '-s', '--max-time', '60', '-o', '/dev/stdout', '-w', ' %{http_code}');
	IPC::Run::run([ @curl, '--cacert', $ca, "https://$at/phoenix_kit/sync/api/status" ], '>', \$status, '2>', \$err);
	like($status, qr/^\{.*"enabled":true.*\} 200$/, 'curl: the JSON API');
	IPC::Run::run([ @curl, "http://$at/phoenix_kit/sync/api/status" ], '>', \$status, '2>', \$err);
	unlike($status, qr/ 200$/, 'curl: not without TLS, where that is required');
}
no_leftovers($node, 'site');
ok(!log_contains($node, qr/TRAP|ERROR:  XX000/), 'no internal error');
done_testing();
