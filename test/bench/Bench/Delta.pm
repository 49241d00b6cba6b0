# Re-sync of W1: nothing changed, and a little, against the transfer of the whole table into an empty one, and
# against pg_comparator.
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
	my $variant = sub {
		my ($what, $change, $prepare, $run) = @_;
		return { name => $what,
			before => sub {
				$change->() if $change;
				$bench->sql('sender', 'CHECKPOINT');
				$bench->sql('receiver', 'CHECKPOINT');
				$prepare->();
			},
			run => $run,
			after => sub {
				my ($here, $there) = map { $bench->sql($_, "SELECT sync_checksum('$name')") } qw(receiver sender);
				die "$what: $here $there\n" unless $here eq $there;
			} };
	};
	my $resync = sub {
		my ($what, $mode, $change) = @_;
		return $variant->($what, $change, sub { $bench->pull($name, "strategy => 'mirror', mode => '$mode'") },
			sub { $bench->sql('receiver', $_[0]) });
	};
	# By its key, which is evenly spread: the fastest that it offers for this table.
	my $comparator = sub {
		my ($what, $change) = @_;
		my @sides = map { "pgsql://@{[scalar getpwuid $>]}\@/postgres/$name?aid:bid,abalance,filler" } 1, 2;
		my @sources = map { "DBI:Pg:dbname=postgres;host=$bench->{dir};port=$bench->{port}{$_}" } qw(sender receiver);
		return $variant->("pg_comparator, $what", $change, sub { }, sub {
			Bench::run('pg_comparator --synchronize --do-it --use-key --no-report '
				  . "--source-1='$sources[0]' --source-2='$sources[1]' '$sides[0]' '$sides[1]' > /dev/null");
			return 0;
		});
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
	$bench->sql($_, 'CREATE EXTENSION IF NOT EXISTS pgcmp') foreach qw(sender receiver);
	my @variants = ($full, $resync->('nothing changed', 'auto'), $resync->('0.1 % changed', 'auto', $change),
		$resync->(q(0.1 % changed, mode => 'full'), 'full', $change),
		$comparator->('nothing changed'), $comparator->('0.1 % changed', $change));
	my %results = $bench->alternate(@variants);
	my @lines = ([ "$table->{name}, $rows rows", 's', 'ratio', 'CPU s', 'ratio', 'kB on the wire', 'WAL MB' ]);
	foreach my $measured (@variants)
	{
		my $result = $results{ $measured->{name} };
		my $whole = $results{ $full->{name} };
		push @lines, [ $measured->{name}, sprintf('%.2f', $result->{seconds}), sprintf('%.2f', $result->{seconds} / $whole->{seconds}),
			sprintf('%.2f', $result->{cpu}), sprintf('%.2f', $result->{cpu} / $whole->{cpu}),
			$result->{value} ? sprintf('%.0f', $result->{value} / 1024) : '', Bench::mb($result->{wal}) ];
	}
	Bench::print_table(@lines);
	$change->();
	my %memory = $bench->memory_of($bench->pull($name, q(strategy => 'mirror')));
	printf "private memory at most %.0f MB (backend), %.0f MB (worker) above a backend's after SELECT 1\n", $memory{backend}, $memory{worker};
}

1;
