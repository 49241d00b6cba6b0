# A process that passes connections on and holds every byte back for a while in each direction, as a
# long link does. It buffers as much as such a link can hold: reading is never what limits.
package Bench::DelayProxy;

use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

my $chunk = 1 << 20;
my $window = 256 << 20;    # bytes that may be on the way in one direction

sub new
{
	my ($class, $port, $delay) = @_;
	my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 16) or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) { serve($listener, $port, $delay); POSIX::_exit(0); }
	return bless { pid => $pid, port => $listener->sockport }, $class;
}

sub DESTROY { my ($self) = @_; local $?; kill 'TERM', $self->{pid}; waitpid($self->{pid}, 0); }

sub serve
{
	my ($listener, $port, $delay) = @_;
	$SIG{CHLD} = 'IGNORE';
	while (my $near = $listener->accept)
	{
		my $pid = fork // next;
		if ($pid == 0) { pass_on($near, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port), $delay); POSIX::_exit(0); }
		close $near;
	}
}

sub pass_on
{
	my ($near, $far, $delay) = @_;
	return unless $far;
	$_->blocking(0) foreach $near, $far;
	my @ways = map { { from => $_->[0], to => $_->[1], queue => [], held => 0 } } [ $near, $far ], [ $far, $near ];
	while (grep { !$_->{done} } @ways)
	{
		my $now = time;
		my ($read, $write) = (IO::Select->new, IO::Select->new);
		my $wait;
		foreach my $way (@ways)
		{
			$read->add($way->{from}) if !$way->{ended} && $way->{held} < $window;
			my $first = $way->{queue}[0] or next;
			if ($first->{due} <= $now) { $write->add($way->{to}); }
			elsif (!defined $wait || $first->{due} - $now < $wait) { $wait = $first->{due} - $now; }
		}
		my ($readable, $writable) = IO::Select->select($read, $write, undef, $wait);
		foreach my $way (@ways)
		{
			take($way, $delay) if grep { $_ == $way->{from} } @{ $readable // [] };
			give($way) if grep { $_ == $way->{to} } @{ $writable // [] };
		}
	}
}

sub take
{
	my ($way, $delay) = @_;
	my $got = sysread($way->{from}, my $bytes, $chunk);
	return unless defined $got || !$!{EAGAIN};
	$way->{ended} = 1 unless $got;
	push @{ $way->{queue} }, { due => time + $delay, bytes => $got ? $bytes : undef, at => 0 };
	$way->{held} += $got // 0;
}

sub give
{
	my ($way) = @_;
	my $first = $way->{queue}[0];
	if (!defined $first->{bytes})
	{
		shutdown($way->{to}, 1);
		$way->{done} = 1;
		shift @{ $way->{queue} };
		return;
	}
	my $put = syswrite($way->{to}, $first->{bytes}, length($first->{bytes}) - $first->{at}, $first->{at});
	if (!defined $put)
	{
		return if $!{EAGAIN};
		POSIX::_exit(0);    # the other end is gone
	}
	$way->{held} -= $put;
	$first->{at} += $put;
	shift @{ $way->{queue} } if $first->{at} == length $first->{bytes};
}

1;
