# Sites of permanent connections, and what can go wrong with them.
package SyncPeers;

use strict;
use warnings;
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use SyncTest;

our @EXPORT = qw(peer_proxy add_sender add_receiver);

my $proxies = 0;
my $directory = PostgreSQL::Test::Utils::tempdir('peers');

# A way to a node's port for peers that can be disturbed: a hash with its url, and mode, which sets
# what it does with connections from then on: "pass", "refuse" (closed at once), "hang" (nothing is
# answered), "gateway" (answers as a proxy does whose server is down).
sub peer_proxy
{
	my ($node) = @_;
	my $file = "$directory/" . $proxies++;
	append_to_file($file, 'pass');
	my $port = fake_peer(
		sub {
			my ($client) = @_;
			local $SIG{CHLD} = 'DEFAULT';
			my $mode = slurp_file($file);
			return if $mode eq 'refuse';
			if ($mode eq 'hang') { sleep 1 while 1; }
			if ($mode eq 'gateway')
			{
				sysread($client, my $request, 65536);
				print $client "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 24\r\nConnection: close\r\n\r\n<html>Bad Gateway</html>";
				return;
			}
			my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{sync_port}) or return;
			my $both = IO::Select->new($client, $server);
			while (my @ready = $both->can_read)
			{
				foreach my $from (@ready)
				{
					sysread($from, my $bytes, 65536) or return;
					if ($from == $client && $bytes =~ /"token":"[^"]*"/)
					{
						my $code = new_code($node);
						$bytes =~ s/"token":("[^"]*")/'"code":"' . $code . '"' . ' ' x (length($1) + 1 - 10)/e;
					}
					my $to = $from == $client ? $server : $client;
					while (length $bytes)
					{
						my $written = syswrite($to, $bytes) or return;
						substr($bytes, 0, $written) = '';
					}
				}
			}
		});
	return {
		url => "http://localhost:$port",
		mode => sub { append_to_file("$file.new", $_[0]); rename "$file.new", $file or die "rename: $!"; }
	};
}

my $senders = 0;

# An approved sender connection: its token, or token and name. Options: name, db, settings (JSON),
# role, and set, columns of its row that are then changed.
sub add_sender
{
	my ($node, %options) = @_;
	my $name = $options{name} || 'site ' . ++$senders;
	my $db = $options{db} || 'postgres';
	my $settings = $options{settings} || '{}';
	my $role = $options{role} || 'sharer';
	my $token = $node->safe_psql($db, "SELECT token FROM sync_create_connection('$name', 'sender', 'https://$senders.example', '$settings', run_as => '$role')");
	$node->safe_psql($db, "SELECT FROM sync_approve_connection('$name')");
	$node->safe_psql($db, "UPDATE sync_connections SET $options{set} WHERE name = '$name'") if $options{set};
	return wantarray ? ($token, $name) : $token;
}

# A receiver connection to that url.
sub add_receiver
{
	my ($node, $name, $url, %options) = @_;
	my $db = $options{db} || 'postgres';
	$node->safe_psql($db, qq(
WITH c AS (INSERT INTO sync_connections (name, direction, site_url, run_as, status)
	VALUES ('$name', 'receiver', '$url', current_user, 'active') RETURNING uuid)
INSERT INTO sync_secrets (connection_uuid, token) SELECT uuid, repeat('x', 43) FROM c));
	return;
}

1;
