# Peers that speak the native protocol as a script tells them to.
package FakePeer;

use strict;
use warnings;
use Exporter 'import';
use SyncTest;

our @EXPORT = qw(read_head http_body playing_peer frame rows_answer);

# The head of a request, and what has come of its body with it.
sub read_head
{
	my ($connection) = @_;
	my $head = '';
	while ($head !~ /\r\n\r\n/)
	{
		sysread($connection, my $bytes, 4096) or return $head;
		$head .= $bytes;
	}
	return $head;
}

sub http_body
{
	my ($status, $body, $type) = @_;
	$type ||= 'application/json';
	return "HTTP/1.1 $status X\r\nContent-Type: $type\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

# Plays a peer: the answers to each operation, as raw bytes or as a reference to code.
sub playing_peer
{
	my (%play) = @_;
	my %answers = (
		'' => http_body(200, '{"protocol": "sync", "versions": [1], "software": "fake"}'),
		connect => http_body(200, '{"ticket": "00", "direction": "send", "software": "fake", "server_version": 150000, "encoding": "UTF8"}'),
		%play);
	return fake_peer(sub {
		my ($c) = @_;
		while (1)
		{
			my $head = read_head($c);
			my ($method, $operation) = $head =~ m{^(\w+) \S*/sync/v1/(\w*)} or return;
			if ($head =~ /Content-Length: (\d+)/)
			{
				my $have = length($head) - index($head, "\r\n\r\n") - 4;
				while ($have < $1) { my $n = sysread($c, my $x, $1 - $have) or return; $have += $n; }
			}
			my $answer = $answers{$operation};
			return unless defined $answer;
			if (ref $answer) { $answer->($c) } else { print $c $answer; }
		}
	});
}

sub frame { my ($kind, $payload, $flags) = @_; return pack('a1CnN', $kind, $flags || 0, 0, length $payload) . $payload; }

# A stream of rows; $whole: with the end of the answer.
sub rows_answer
{
	my ($bytes, $whole) = @_;
	my $head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.sync.rows\r\nTransfer-Encoding: chunked\r\n\r\n";
	my $chunk = length($bytes) ? sprintf("%x\r\n%s\r\n", length $bytes, $bytes) : '';
	return $head . $chunk . ($whole ? "0\r\n\r\n" : '');
}

1;
