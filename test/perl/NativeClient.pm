# A client of the native protocol that does what a script says, one request after the other.
package NativeClient;

use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(usleep);

# Connects with a token (or what else the fields are) and keeps the ticket; dies if it is refused.
sub connected
{
	my ($class, $node, %fields) = @_;
	my $self = $class->dial($node);
	my $body = join ', ', map { qq("$_": "$fields{$_}") } sort keys %fields;
	my ($status, $answer) = $self->ask('POST', 'connect', "{$body}");
	($self->{ticket}) = $answer =~ /"ticket":"([0-9a-f]+)"/ or die "connect: $status $answer";
	return $self;
}

# A connection, with the ticket of an earlier one if there is one.
sub dial
{
	my ($class, $node, $ticket) = @_;
	my $handle = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->{sync_port}, Timeout => 60) or die "connect: $!";
	$handle->autoflush(1);
	return bless { handle => $handle, buffer => '', ticket => $ticket }, $class;
}

# Reads on; false at the end of the connection.
sub fill { my ($self) = @_; return sysread($self->{handle}, $self->{buffer}, 65536, length $self->{buffer}); }

sub take
{
	my ($self, $size) = @_;
	while (length $self->{buffer} < $size) { $self->fill or return undef; }
	return substr($self->{buffer}, 0, $size, '');
}

sub line
{
	my ($self) = @_;
	while ($self->{buffer} !~ /\r\n/) { $self->fill or return undef; }
	return substr($self->{buffer}, 0, index($self->{buffer}, "\r\n") + 2, '');
}

# Sends a request and returns status and body; nothing where the connection has ended.
sub ask
{
	my ($self, $method, $operation, $body, %headers) = @_;
	$body //= '';
	$headers{Authorization} = "Bearer $self->{ticket}" if $self->{ticket};
	local $SIG{PIPE} = 'IGNORE';
	print { $self->{handle} } join("\r\n", "$method /sync/v1/$operation HTTP/1.1", 'Host: x', 'Content-Length: ' . length $body,
		(map { "$_: $headers{$_}" } sort keys %headers), '', $body);
	my $head = '';
	while (defined(my $line = $self->line)) { $head .= $line; last if $line eq "\r\n"; }
	my ($status) = $head =~ m{\AHTTP/1.1 (\d+)} or return;
	my $answer = '';
	if ($head =~ /Transfer-Encoding: chunked/i)
	{
		for (;;)
		{
			my ($size) = map { hex } ($self->line // return) =~ /\A([0-9a-f]+)/i;
			$answer .= $self->take($size) // return;
			$self->line;
			last unless $size;
		}
	}
	elsif ($head =~ /Content-Length: (\d+)/i) { $answer = $self->take($1) // return; }
	return ($status, $answer);
}

sub hang_up { my ($self) = @_; close $self->{handle}; }

1;
