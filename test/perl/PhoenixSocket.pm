# The other end of a PhoenixKit socket, byte by byte: a client that can also misbehave.
package PhoenixSocket;

use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;
use SyncTest;
use Time::HiRes qw(time);

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10 };

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# The request that asks for a socket; a header that is undef is left out.
sub request
{
	my ($target, %headers) = @_;
	my %all = (
		Host => 'localhost',
		Connection => 'Upgrade',
		Upgrade => 'websocket',
		'Sec-WebSocket-Version' => '13',
		'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==',
		%headers);
	return join("\r\n", "GET $target HTTP/1.1", (map { "$_: $all{$_}" } grep { defined $all{$_} } sort keys %all), '', '');
}

# Asks for a socket. Returns it, or where it is refused, a hash with status, type and body.
sub open_socket
{
	my ($class, $port, $target, %headers) = @_;
	my $handle;
	foreach (1 .. 600)    # the server may be busy with another peer
	{
		$handle = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or die "connect: $!";
		$handle->autoflush(1);
		syswrite($handle, request($target, %headers));
		my $self = bless { handle => $handle, buffer => '' }, $class;
		my $head = $self->read_until("\r\n\r\n");
		my ($status) = $head =~ m{\AHTTP/1.1 (\d+)};
		$self->{head} = $head;
		return $self if $status && $status == 101;
		my ($length) = $head =~ /Content-Length: (\d+)/i;
		my $body = $self->read_bytes($length || 0);
		if ($status && $status == 503) { Time::HiRes::usleep(100_000); next; }
		my ($type) = $head =~ /Content-Type: ([^\r]*)/i;
		return { status => $status, type => $type, body => $body };
	}
	die "no free worker";
}

# A socket of a new session of $node, joined; options as new_code's, and payload of the join.
sub joined
{
	my ($class, $node, %options) = @_;
	my $code = new_code($node, %options);
	my $self = $class->open_socket($node->{sync_port}, "/sync/websocket?code=$code&vsn=2.0.0");
	$self->{code} = $code;
	$self->send_text($json->encode([ undef, '1', "transfer:$code", 'phx_join', $options{payload} || {} ]));
	my $reply = $self->receive;
	die "join failed" unless $reply->[4]{status} eq 'ok';
	return $self;
}

sub fill
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 60);
	for (;;)
	{
		my $left = $end - time;
		my $rin = '';
		vec($rin, fileno($self->{handle}), 1) = 1;
		return 0 unless select($rin, undef, undef, $left > 0 ? $left : 0);
		my $got = sysread($self->{handle}, $self->{buffer}, 65536, length $self->{buffer});
		return defined $got && $got > 0 ? 1 : -1;
	}
}

sub read_until
{
	my ($self, $mark) = @_;
	while (index($self->{buffer}, $mark) < 0) { return $self->{buffer} if $self->fill <= 0; }
	return substr($self->{buffer}, 0, index($self->{buffer}, $mark) + length $mark, '');
}

sub read_bytes
{
	my ($self, $size, $seconds) = @_;
	while (length $self->{buffer} < $size) { return undef if $self->fill($seconds) <= 0; }
	return substr($self->{buffer}, 0, $size, '');
}

# ---- sending ---------------------------------------------------------------------------------

sub send_bytes { my ($self, $bytes) = @_; local $SIG{PIPE} = 'IGNORE'; my $at = 0; while ($at < length $bytes) { my $put = syswrite($self->{handle}, $bytes, length($bytes) - $at, $at) // return 0; $at += $put; } return 1; }

# A masked frame; options: more (not the last fragment), plain (no mask), length (another than the
# payload's).
sub frame
{
	my ($opcode, $payload, %options) = @_;
	my $length = $options{length} // length $payload;
	my $mask_bit = $options{plain} ? 0 : 0x80;
	my $head = pack('C', ($options{more} ? 0 : 0x80) | $opcode);
	$head .= $length < 126 ? pack('C', $mask_bit | $length) : $length < 65536 ? pack('Cn', $mask_bit | 126, $length) : pack('CQ>', $mask_bit | 127, $length);
	return $head . $payload if $options{plain};
	my $key = "\x12\x34\x56\x78";
	return $head . $key . ($payload ^ substr($key x (length($payload) / 4 + 1), 0, length $payload));
}
sub send_frame { my ($self, @frame) = @_; return $self->send_bytes(frame(@frame)); }
sub send_text { my ($self, $text) = @_; return $self->send_frame(TEXT, $text); }
sub send_json { my ($self, @elements) = @_; return $self->send_text($json->encode(\@elements)); }

# ---- receiving -------------------------------------------------------------------------------

# A frame as [opcode, payload, last]; undef where none comes in time, or the connection ends.
sub receive_frame
{
	my ($self, $seconds) = @_;
	my $head = $self->read_bytes(2, $seconds) // return undef;
	my ($first, $length) = unpack('CC', $head);
	die 'a server must not mask' if $length & 0x80;
	$length = unpack('n', $self->read_bytes(2)) if $length == 126;
	$length = unpack('Q>', $self->read_bytes(8)) if $length == 127;
	return [ $first & 15, $length ? $self->read_bytes($length) : '', $first & 0x80 ? 1 : 0 ];
}

# The next text message; undef where none comes in time. A close frame ends it: its code is then in
# {closed}, which is 0 for a connection that just ends.
sub receive_text
{
	my ($self, $seconds) = @_;
	my $text = '';
	for (;;)
	{
		my $frame = $self->receive_frame($seconds);
		if (!$frame)
		{
			$self->{closed} = 0 if $self->fill(0) < 0;
			return undef;
		}
		my ($opcode, $payload, $last) = @$frame;
		if ($opcode == CLOSE) { $self->{closed} = length $payload ? unpack('n', $payload) : 1005; return undef; }
		next if $opcode == PING || $opcode == PONG;
		$text .= $payload;
		return $text if $last;
	}
}
sub receive { my ($self, $seconds) = @_; my $text = $self->receive_text($seconds); return defined $text ? $json->decode($text) : undef; }

# Sends a request under that ref and returns the event and the payload of what comes next.
sub ask
{
	my ($self, $event, %payload) = @_;
	$self->send_json(undef, $payload{ref} //= '9', 'transfer:' . ($self->{code} // 'x'), $event, \%payload);
	my $answer = $self->receive // return ();
	return @$answer[ 3, 4 ];
}

# Whether the peer is quiet and there.
sub quiet { my ($self, $seconds) = @_; my $text = $self->receive_text($seconds // 1); return !defined $text && !defined $self->{closed}; }

# Reads up to the close frame, answers it, and returns its code.
sub close_code
{
	my ($self) = @_;
	while (!defined $self->{closed}) { $self->receive_text // last; }
	$self->send_frame(CLOSE, pack('n', $self->{closed})) if $self->{closed};
	return $self->{closed};
}

sub close { my ($self, $code) = @_; $self->send_frame(CLOSE, pack('n', $code // 1000)); my $got = $self->close_code; CORE::close($self->{handle}); return $got; }

1;
