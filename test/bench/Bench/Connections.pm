# How soon a connection answers, and what the launcher does when there is none.
package Bench::Connections;

use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(time);

my $connections = 200;
my $idle_seconds = 60;

sub first_byte
{
	my ($bench) = @_;
	my (@sync, @psql);
	foreach (1 .. $connections)
	{
		my $began = time;
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $bench->{port}{'sync sender'}) or die "connect: $!";
		$socket->autoflush(1);
		print $socket "GET /sync/v1/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
		sysread($socket, my $byte, 1) or die "no answer\n";
		push @sync, time - $began;
		1 while sysread($socket, my $rest, 4096);
		close $socket;
		die "refused\n" unless $byte eq 'H';

		$began = time;
		Bench::run($bench->psql('sender'), '-o', '/dev/null', '-c', 'SELECT 1');
		push @psql, time - $began;
	}
	my @rows = ([ "$connections connections", 'median ms', 'ratio' ]);
	my $peer = Bench::median(@psql);
	foreach my $result ([ 'sync, first byte', Bench::median(@sync) ], [ q(psql -c 'SELECT 1'), $peer ])
	{
		push @rows, [ $result->[0], sprintf('%.2f', $result->[1] * 1000), sprintf('%.2f', $result->[1] / $peer) ];
	}
	Bench::print_table(@rows);
}

sub ticks_and_switches
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or die;
	my @fields = split ' ', (<$stat> =~ s/^.*\) //r);
	open my $status, '<', "/proc/$pid/status" or die;
	my ($switches) = join('', <$status>) =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
	return ($fields[11] + $fields[12], $switches);
}

sub idle
{
	my ($bench) = @_;
	sleep 10;    # what came before is over
	my ($pid) = $bench->processes(qr/^postgres: sync launcher/) or die "no launcher\n";
	my ($ticks, $switches) = ticks_and_switches($pid);
	sleep $idle_seconds;
	my ($ticks_then, $switches_then) = ticks_and_switches($pid);
	Bench::print_table([ 'idle launcher', 'seconds', 'ticks', 'wake-ups a minute' ],
		[ 'sync', $idle_seconds, $ticks_then - $ticks, sprintf('%.1f', ($switches_then - $switches) * 60 / $idle_seconds) ]);
}

1;
