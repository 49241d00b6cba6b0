# TLS: the server's own certificate, verification, and what goes without.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $dir = "$PostgreSQL::Test::Utils::tmp_check/tls";
mkdir $dir or die;
sub make_certificate
{
	my ($name, $subject, $days) = @_;
	system_or_bail('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', $days || 10,
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.crt", '-subj', "/CN=$subject",
		'-addext', "subjectAltName=DNS:$subject,IP:127.0.0.1");
	chmod 0600, "$dir/$name.key";
}
make_certificate('good', 'localhost');
make_certificate('other', 'elsewhere.example');
make_certificate('stranger', 'localhost');

my $a = new_sync_node('sender', conf => <<"CONF");
ssl = on
ssl_cert_file = '$dir/good.crt'
ssl_key_file = '$dir/good.key'
CONF
my $b = new_sync_node('receiver', conf => "sync.ssl_ca_file = '$dir/good.crt'\n");
my $port = $a->{sync_port};
$a->safe_psql('postgres', q(CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i; ANALYZE));
$b->safe_psql('postgres', 'CREATE TABLE t (id int PRIMARY KEY, v text)');

is($a->safe_psql('postgres', 'SELECT listen_url FROM sync_get_config()'), "https://localhost:$port", 'with ssl on, the URL is https');
sub over { my ($url, $sql) = @_; my $code = new_code($a); return "SELECT sync_connect('$url', '$code') AS c \\gset\n$sql\nSELECT sync_disconnect(:c) \\g /dev/null\n"; }
is($b->safe_psql('postgres', over("https://localhost:$port", q(SELECT created FROM sync_transfer(:c, 't');))), '20000', 'a transfer over TLS');
is($b->safe_psql('postgres', q(SELECT sync_checksum('t'))), $a->safe_psql('postgres', q(SELECT sync_checksum('t'))), 'all rows are equal');

# The other way round; with an answer that comes while rows are still being sent.
$a->safe_psql('postgres', q(CREATE TABLE taken (LIKE t INCLUDING ALL); CREATE TABLE picky (id int PRIMARY KEY, v text CHECK (v = ''))));
$b->safe_psql('postgres', q(INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(20001, 60000) i));
my ($ret, $out, $err) = $b->psql('postgres', pull_script($a, q(SELECT sync_push(:c, 't', 'picky');
SELECT bytes_out < 30000000 FROM sync_clients();
SELECT created FROM sync_push(:c, 't', 'taken');), direction => 'receive') =~ s/http:/https:/r, on_error_stop => 0);
like($err, qr/violates check constraint "picky_v_check"/, 'a push over TLS that is refused');
is($out, "t\n60000", 'is not sent to its end, and the next goes over the same connection');
is($a->safe_psql('postgres', q(SELECT sync_checksum('taken'))), $b->safe_psql('postgres', q(SELECT sync_checksum('t'))), 'all rows are equal');

is($b->safe_psql('postgres', over("https://127.0.0.1:$port", q(SELECT sync_remote_get_count(:c, 't');))), '20000', 'by address');
is($b->safe_psql('postgres', over("http://localhost:$port", q(SELECT sync_remote_get_count(:c, 't');))), '20000', 'on the same machine also without');

# Verification.
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.ssl_ca_file = '$dir/stranger.crt'");
$b->reload;
fails_with($b, over("https://localhost:$port", ''), '08001', qr/certificate.*HINT:.*ssl_ca_file/s, 'an authority that is not known');
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.ssl_ca_file = '/nonexistent'");
$b->reload;
fails_with($b, over("https://localhost:$port", ''), '08001', undef, 'a file of authorities that is not there');
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.ssl_ca_file = '$dir/good.crt'");
$b->reload;

# Other files than the server's own, reloaded without a restart.
$a->append_conf('postgresql.conf', "sync.ssl_cert_file = '$dir/stranger.crt'\nsync.ssl_key_file = '$dir/stranger.key'\n");
$a->reload;
wait_for(sub { my ($ret, $out, $err) = $b->psql('postgres', over("https://localhost:$port", '')); $err =~ /certificate/ }, 'the new certificate is shown');
$a->append_conf('postgresql.conf', "sync.ssl_cert_file = '$dir/good.crt'\nsync.ssl_key_file = '$dir/good.key'\n");
$a->reload;
wait_for(sub { my ($ret) = $b->psql('postgres', over("https://localhost:$port", '')); $ret == 0 }, 'and the old one again');
$a->append_conf('postgresql.conf', "sync.ssl_key_file = '$dir/other.key'\n");
$a->reload;
wait_for(sub { my ($ret, $out, $err) = $b->psql('postgres', over("https://localhost:$port", '')); $ret != 0 }, 'a key that does not fit serves nobody');
ok(log_contains($a, qr/could not load .*other\.key/), 'and the log says why');
$a->append_conf('postgresql.conf', "sync.ssl_key_file = '$dir/good.key'\n");

# A certificate for another name.
$a->append_conf('postgresql.conf', "sync.ssl_cert_file = '$dir/other.crt'\nsync.ssl_key_file = '$dir/other.key'\n");
$a->reload;
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.ssl_ca_file = '$dir/other.crt'");
$b->reload;
wait_for(sub { my ($ret, $out, $err) = $b->psql('postgres', over("https://127.0.0.1:$port", '')); $ret == 0 }, 'the name in it counts: the right one');
fails_with($b, over("https://localhost:$port", ''), '08001', qr/localhost.*HINT:.*host name in the URL/s, 'the wrong one');
$a->append_conf('postgresql.conf', "sync.ssl_cert_file = '$dir/good.crt'\nsync.ssl_key_file = '$dir/good.key'\n");

# require and off.
$a->append_conf('postgresql.conf', 'sync.ssl = require');
$a->reload;
$b->safe_psql('postgres', "ALTER SYSTEM SET sync.ssl_ca_file = '$dir/good.crt'");
$b->reload;
wait_for(sub { my ($ret, $out, $err) = $b->psql('postgres', over("http://localhost:$port", '')); $err =~ /TLS only/ }, 'require: not without');
is($b->safe_psql('postgres', over("https://localhost:$port", q(SELECT sync_remote_get_count(:c, 't');))), '20000', 'but with');
$a->append_conf('postgresql.conf', 'sync.ssl = off');
$a->reload;
wait_for(sub { my ($ret, $out, $err) = $b->psql('postgres', over("https://localhost:$port", '')); $ret != 0 }, 'off: not with');
is($b->safe_psql('postgres', over("http://localhost:$port", q(SELECT sync_remote_get_count(:c, 't');))), '20000', 'but without');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
