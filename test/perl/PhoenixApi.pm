# Requests to PhoenixKit's HTTP JSON API, made by curl.
package PhoenixApi;

use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Exporter 'import';
use File::Temp 'tempdir';
use JSON::PP;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(api api_at answers missing token_pair);

my $json = JSON::PP->new->canonical->utf8->allow_nonref;
my $directory = tempdir(CLEANUP => 1);

# Runs curl against a path of the node; returns the status, the body and its JSON.
# Options: body (text), type, accept, method, headers (list).
sub api_at
{
	my ($node, $path, %options) = @_;
	my @command = ('curl', '-sS', '--max-time', '60', '-o', "$directory/body", '-w', '%{http_code}');
	push @command, '-X', $options{method} if $options{method};
	push @command, '-H', 'Content-Type: ' . ($options{type} || 'application/json') if defined $options{body};
	push @command, '-H', "Accept: $options{accept}" if $options{accept};
	push @command, map { ('-H', $_) } @{ $options{headers} || [] };
	if (defined $options{body})
	{
		open(my $file, '>:raw', "$directory/request") or die $!;
		print $file $options{body};
		close $file;
		push @command, '--data-binary', "\@$directory/request";
	}
	unlink "$directory/body";
	my ($out, $err);
	IPC::Run::run([ @command, "http://127.0.0.1:$node->{sync_port}$path" ], '>', \$out, '2>', \$err);
	my $body = -e "$directory/body" ? slurp_file("$directory/body") : '';
	return ($out, $body, eval { $json->decode($body) });
}

# A POST of parameters (a hash) to an operation, as PhoenixKit's client does it.
sub api
{
	my ($node, $operation, $parameters, %options) = @_;
	my $prefix = $options{prefix} // '/phoenix_kit';
	return api_at($node, "$prefix/sync/api/$operation", body => $json->encode($parameters), %options);
}

# Status and body (text, with its keys in order), for is().
sub answers
{
	my ($status, $body, $value) = @_;
	return $status . ' ' . (defined $value ? $json->encode($value) : $body);
}

# What a request is answered with that lacks these fields.
sub missing
{
	return '400 ' . $json->encode(
		{ success => JSON::PP::false, error => 'Missing required fields', fields => [@_] });
}

# A new token of the right form and its hash.
sub token_pair
{
	my ($letter) = @_;
	my $token = $letter x 43;
	return ($token, sha256_hex($token));
}

1;
