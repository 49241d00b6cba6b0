# Certificates of an authority, made by openssl for one test.
package Certificates;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(authority certificate);

my $dir;    # an absolute path only once the test runs

sub openssl
{
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'openssl', @_ ], '<', '/dev/null', '>', \$out, '2>', \$err) or die "openssl @_: $err";
	return;
}

# A new authority: its file of certificates.
sub authority
{
	my ($name) = @_;
	$dir //= PostgreSQL::Test::Utils::tempdir('certificates');
	openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', '10', '-keyout', "$dir/$name.key", '-out', "$dir/$name.crt",
		'-subj', "/CN=$name");
	return "$dir/$name.crt";
}

# A certificate that the authority of that name has signed, for the names (as in DNS:localhost, IP:127.0.0.1);
# returns the files of it and of its key.
sub certificate
{
	my ($authority, $name, $names, $days) = @_;
	openssl('req', '-new', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-keyout', "$dir/$name.key", '-out', "$dir/$name.csr",
		'-subj', "/CN=$name", '-addext', "subjectAltName=$names");
	openssl('x509', '-req', '-in', "$dir/$name.csr", '-CA', "$dir/$authority.crt", '-CAkey', "$dir/$authority.key", '-CAcreateserial',
		'-copy_extensions', 'copy', '-sha256', '-days', $days // 10, '-out', "$dir/$name.crt");
	chmod 0600, "$dir/$name.key";
	return ("$dir/$name.crt", "$dir/$name.key");
}

1;
