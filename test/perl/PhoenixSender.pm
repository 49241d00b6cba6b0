# A scripted PhoenixKit site (interop/phoenix_sender.py).
package PhoenixSender;

use strict;
use warnings;
use Exporter 'import';
use JSON::PP;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(start_sender column sender_log);

my @pids;
my @pipes;    # to close one is to wait for its process, which is to be told first
my $count = 0;
my $dir = PostgreSQL::Test::Utils::tempdir('phoenix');

# Starts a site that follows a script, as a structure of Perl; its `socket` and `api` are URLs.
sub start_sender
{
	my ($script) = @_;
	my $name = "$dir/" . $count++;
	append_to_file("$name.json", JSON::PP->new->utf8->encode($script));
	append_to_file("$name.log", '');
	my $pid = open(my $out, '-|', '/usr/bin/python3', 'interop/phoenix_sender.py', "$name.json", "$name.log")
	  or die "python3: $!";
	push @pids, $pid;
	push @pipes, $out;
	my ($socket, $api) = split ' ', scalar(<$out>) // die 'the sender has not started';
	# By name, which is what a certificate is for.
	my $at = $script->{tls} ? 'https://localhost' : 'http://127.0.0.1';
	return { socket => "$at:$socket", api => "$at:$api", log => "$name.log" };
}

sub column { my ($name, $type, %more) = @_; return { name => $name, type => $type, nullable => JSON::PP::true, %more }; }

# What has come to a site since the last call, or all of it.
sub sender_log
{
	my ($sender) = @_;
	my $text = slurp_file($sender->{log}, $sender->{read} || 0);
	$sender->{read} += length $text;    # more may have come by now
	return $text;
}

END { my $status = $?; kill 'TERM', @pids; waitpid($_, 0) foreach @pids; $? = $status; }

1;
