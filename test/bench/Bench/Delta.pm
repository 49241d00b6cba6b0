# Re-sync of W1: nothing changed, and a little, against the transfer of the whole table into an empty one.
package Bench::Delta;

use strict;
use warnings;
use Bench::Tables;

sub resync
{
	my ($bench) = @_;
	my ($table) = Bench::Tables::prepare($bench);
	my $name = $table->{table};
	my $rows = $table->{rows};
	my $changed = 0;
	my $resync = sub {
		my ($what, $mode, $change) = @_;
		return { name => $what,
			before => sub {
				$change->() if $change;
				$bench->sql('sender', 'CHECKPOINT');
				$bench->sql('receiver', 'CHECKPOINT');
				$bench->pull($name, "strategy => 'mirror', mode => '$mode'");
			},
			run => sub { $bench->sql('receiver', $_[0]) },
			after => sub {
				my ($here, $there) = map { $bench->sql($_, "SELECT sync_checksum('$name')") } qw(receiver sender);
				die "$what: $here $there\n" unless $here eq $there;
			} };
	};
	# 0.1 % updated, 0.01 % deleted, 0.01 % new, evenly spread and other ones every time.
	my $change = sub {
		$changed++;
		$bench->sql('sender', "UPDATE $name SET abalance = abalance + 1 WHERE aid % 1000 = $changed",
			"DELETE FROM $name WHERE aid % 10000 = 500 + $changed",
			"INSERT INTO $name SELECT (1 + $changed) * 10000000 + i, 1, 0, '' FROM generate_series(1, $rows / 10000) i", "VACUUM ANALYZE $name");
	};
	my $full = { name => 'into an empty table',
		before => sub { Bench::Tables::empty($bench, $table); $bench->pull($name, q(mode => 'full')) },
		run => sub { $bench->sql('receiver', $_[0]) },
		after => sub { $bench->sql('receiver', "VACUUM ANALYZE $name") } };
	my @variants = ($full, $resync->('nothing changed', 'auto'), $resync->('0.1 % changed', 'auto', $change),
		$resync->(q(0.1 % changed, mode => 'full'), 'full', $change));
	my %results = $bench->alternate(@variants);
	my @lines = ([ "$table->{name}, $rows rows", 's', 'ratio', 'CPU s', 'ratio', 'kB on the wire', 'WAL MB' ]);
	foreach my $variant (@variants)
	{
		my $result = $results{ $variant->{name} };
		my $whole = $results{ $full->{name} };
		push @lines, [ $variant->{name}, sprintf('%.2f', $result->{seconds}), sprintf('%.2f', $result->{seconds} / $whole->{seconds}),
			sprintf('%.2f', $result->{cpu}), sprintf('%.2f', $result->{cpu} / $whole->{cpu}),
			sprintf('%.0f', $result->{value} / 1024), Bench::mb($result->{wal}) ];
	}
	Bench::print_table(@lines);
	$change->();
	my %memory = $bench->memory_of($bench->pull($name, q(strategy => 'mirror')));
	printf "private memory at most %.0f MB (backend), %.0f MB (worker) above a backend's after SELECT 1\n", $memory{backend}, $memory{worker};
}

1;
