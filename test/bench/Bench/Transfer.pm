# Whole tables from one server to the other.
package Bench::Transfer;

use strict;
use warnings;
use Bench::DelayProxy;
use Bench::Tables;

sub report
{
	my ($table, $peer, $results, @names) = @_;
	my @rows = ([ "$table->{name}, $table->{rows} rows", 's', 'ratio', 'CPU s', 'ratio', 'rows/s', 'MB on the wire', 'WAL MB' ]);
	foreach my $name (@names)
	{
		my $result = $results->{$name};
		push @rows, [ $name, sprintf('%.2f', $result->{seconds}), sprintf('%.2f', $result->{seconds} / $results->{$peer}{seconds}),
			sprintf('%.2f', $result->{cpu}), sprintf('%.2f', $result->{cpu} / $results->{$peer}{cpu}),
			sprintf('%.0f', $table->{rows} / $result->{seconds}), Bench::mb($result->{value}), Bench::mb($result->{wal}) ];
	}
	Bench::print_table(@rows);
}

sub copying
{
	my ($bench, $table) = @_;
	return { name => 'psql COPY binary, psql COPY binary', before => sub { Bench::Tables::empty($bench, $table) },
		run => sub { Bench::Tables::copy($bench, $table); Bench::Tables::copy_bytes($bench, $table) },
		after => sub { Bench::Tables::require_all($bench, $table) } };
}

sub pulling
{
	my ($bench, $table, $name, $arguments, %more) = @_;
	return { name => $name,
		before => sub { Bench::Tables::empty($bench, $table); $bench->pull($table->{table}, $arguments, 'bytes', $more{url}) },
		run => sub { $bench->sql('receiver', $_[0]) },
		after => sub { Bench::Tables::require_all($bench, $table) }, %more };
}

sub full
{
	my ($bench) = @_;
	foreach my $table (Bench::Tables::prepare($bench))
	{
		Bench::Tables::copy_bytes($bench, $table);
		my $creates = pulling($bench, $table, 'sync_pull, which creates the table', undef,
			before => sub { $bench->sql('receiver', "DROP TABLE $table->{table}", 'CHECKPOINT'); $bench->sql('sender', 'CHECKPOINT'); $bench->pull($table->{table}) });
		my @variants = (copying($bench, $table), pulling($bench, $table, 'sync_pull'), $creates,
			pulling($bench, $table, q(sync_pull, mode => 'online'), q(mode => 'online')));
		my %results = $bench->alternate(@variants);
		my @names = map { $_->{name} } @variants;
		report($table, $names[0], \%results, @names);
		foreach my $arguments (q(mode => 'auto'), q(mode => 'online'))
		{
			Bench::Tables::empty($bench, $table);
			my %memory = $bench->memory_of($bench->pull($table->{table}, $arguments));
			printf "%s, %s: private memory at most %.0f MB (backend), %.0f MB (worker) above a backend's after SELECT 1\n",
			  $table->{name}, $arguments, $memory{backend}, $memory{worker};
		}
	}
}

# Nothing differs: as a share of the full transfer.
sub again
{
	my ($bench) = @_;
	foreach my $table (Bench::Tables::prepare($bench))
	{
		my @full = pulling($bench, $table, 'sync_pull');
		my @equal = map { pulling($bench, $table, "again, $_", $_, before => undef) } q(mode => 'full', strategy => 'skip'), q(mode => 'full', strategy => 'overwrite');
		foreach my $variant (@equal)
		{
			my $arguments = $variant->{name} =~ s/^again, //r;
			$variant->{before} = sub { $bench->sql('receiver', "VACUUM ANALYZE $table->{table}", 'CHECKPOINT'); $bench->pull($table->{table}, $arguments) };
			$variant->{after} = sub {
				my $dead = $bench->sql('receiver', "DO 'BEGIN PERFORM pg_sleep(0.6); END'", "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = '$table->{table}'");
				die "$dead dead tuples\n" if $dead;
			};
		}
		my %results = $bench->alternate(@full, @equal);
		report($table, 'sync_pull', \%results, map { $_->{name} } @full, @equal);
	}
}

# Bandwidth is what the proxy's buffers allow, which is more than the transfer needs.
sub delayed
{
	my ($bench) = @_;
	my ($table) = Bench::Tables::prepare($bench);
	my $proxy = Bench::DelayProxy->new($bench->{port}{'sync sender'}, 0.1);
	my @variants = (pulling($bench, $table, 'sync_pull on loopback'),
		pulling($bench, $table, 'sync_pull, 100 ms each way', undef, url => "http://localhost:$proxy->{port}"));
	my %results = $bench->alternate(@variants);
	report($table, $variants[0]{name}, \%results, map { $_->{name} } @variants);
}

1;
