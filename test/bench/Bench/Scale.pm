# How time and memory grow with rows, columns, tables and peers.
package Bench::Scale;

use strict;
use warnings;
use POSIX ();
use Time::HiRes qw(time);

# Seconds of a pull, a median, and what it takes of memory.
sub pulled
{
	my ($bench, $tables, $empty) = @_;
	my %results = $bench->alternate({ name => 'pull',
		before => sub { $bench->sql('receiver', $empty, 'CHECKPOINT'); $bench->pull($tables, undef, 'created') },
		run => sub { $bench->sql('receiver', $_[0]) } });
	$bench->sql('receiver', $empty);
	my %memory = $bench->memory_of($bench->pull($tables));
	return ($results{pull}{seconds}, @memory{qw(backend worker)});
}

sub row
{
	my ($label, $count, $seconds, $backend, $worker) = @_;
	return [ $label, sprintf('%.3f', $seconds), sprintf('%.2f', $seconds * 1e6 / $count), sprintf('%.0f', $backend), sprintf('%.0f', $worker) ];
}

sub head { return [ $_[0], 's', "us/$_[1]", 'MB backend', 'MB worker' ]; }

sub rows
{
	my ($bench) = @_;
	my @report = (head('rows', 'row'));
	for (my $rows = 10_000; $rows <= $bench->option('max-rows'); $rows *= 10)
	{
		my $create = 'CREATE TABLE many_rows (aid int PRIMARY KEY, bid int, abalance int, filler char(84))';
		$bench->sql('sender', $create, "INSERT INTO many_rows SELECT i, i, 0, '' FROM generate_series(1, $rows) i", 'VACUUM ANALYZE many_rows');
		$bench->sql('receiver', $create);
		push @report, row($rows, $rows, pulled($bench, 'many_rows', 'TRUNCATE many_rows'));
		$bench->sql($_, 'DROP TABLE many_rows') foreach qw(sender receiver);
	}
	Bench::print_table(@report);
}

# As many values each time.
sub columns
{
	my ($bench) = @_;
	my $values = 2_000_000;
	my @report = (head("columns, $values values", 'value'));
	foreach my $columns (1, 10, 100, 1000)
	{
		my $rows = $values / $columns;
		my $create = 'CREATE TABLE many_columns (' . join(', ', 'c1 int PRIMARY KEY', map { "c$_ int" } 2 .. $columns) . ')';
		$bench->sql('sender', $create, 'INSERT INTO many_columns SELECT ' . join(', ', map { "i + $_" } 1 .. $columns) . " FROM generate_series(1, $rows) i",
			'VACUUM ANALYZE many_columns');
		$bench->sql('receiver', $create);
		push @report, row($columns, $values, pulled($bench, 'many_columns', 'TRUNCATE many_columns'));
		$bench->sql($_, 'DROP TABLE many_columns') foreach qw(sender receiver);
	}
	Bench::print_table(@report);
}

# Small tables that sync creates.
sub tables
{
	my ($bench) = @_;
	my @report = (head('tables of 100 rows, created', 'table'));
	foreach my $count (1, 10, 100, 1000)
	{
		$bench->sql('sender', "DO \$\$ BEGIN FOR i IN 1 .. $count LOOP EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, v text)', i);
			EXECUTE format('INSERT INTO small_%s SELECT g, g::text FROM generate_series(1, 100) g', i); END LOOP; END \$\$");
		my $tables = join ',', map { "small_$_" } 1 .. $count;
		my $drop = "DO \$\$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relname LIKE 'small\\_%' AND relkind = 'r' LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END \$\$";
		push @report, row($count, $count, pulled($bench, $tables, $drop));
		$bench->sql($_, $drop) foreach qw(sender receiver);
	}
	Bench::print_table(@report);
}

# Listing tables, which is what a page that shows them waits for. Leaves them behind: the last part.
sub list
{
	my ($bench) = @_;
	my @report = ([ 'tables', 's', 'us/table' ]);
	my $made = 0;
	foreach my $count (500, 1000, 10_000)
	{
		# In pieces, since a transaction holds a lock on each table that it makes.
		for (; $made < $count; $made += 500)
		{
			$bench->sql('sender', "DO \$\$ BEGIN FOR i IN $made + 1 .. $made + 500 LOOP EXECUTE format('CREATE TABLE listed_%s (id int PRIMARY KEY, v text, other int REFERENCES listed_%s)', i, greatest(1, i - 1)); END LOOP; END \$\$");
		}
		my %results = $bench->alternate({ name => 'list', run => sub {
			my $listed = $bench->sql('sender', q(SELECT count(*) FROM sync_list_tables(exact_counts => false) WHERE name LIKE 'listed%'));
			die "$listed tables are listed, not $count\n" unless $listed == $count;
		} });
		push @report, [ $count, sprintf('%.3f', $results{list}{seconds}), sprintf('%.1f', $results{list}{seconds} * 1e6 / $count) ];
	}
	Bench::print_table(@report);
}

# Each pulls a table of its own, all at once.
sub peers
{
	my ($bench) = @_;
	my $rows = 50_000;
	my @report = ([ "peers, $rows rows each", 's', 'us/row' ]);
	my @names = map { "of_peer_$_" } 1 .. 32;
	foreach my $name (@names)
	{
		my $create = "CREATE TABLE $name (aid int PRIMARY KEY, bid int, abalance int, filler char(84))";
		$bench->sql('sender', $create, "INSERT INTO $name SELECT i, i, 0, '' FROM generate_series(1, $rows) i");
		$bench->sql('receiver', $create);
	}
	foreach my $count (1, 2, 4, 8, 16, 32)
	{
		my @seconds;
		foreach (1 .. $bench->option('rounds'))
		{
			$bench->sql('receiver', 'TRUNCATE ' . join(', ', @names), 'CHECKPOINT');
			my @pulls = map { $bench->pull($names[ $_ - 1 ], undef, 'created') } 1 .. $count;
			my $began = time;
			my @pids;
			foreach my $sql (@pulls)
			{
				my $pid = fork // die;
				if ($pid == 0) { open STDOUT, '>', '/dev/null'; exec($bench->psql('receiver'), '-c', $sql) or POSIX::_exit(1); }
				push @pids, $pid;
			}
			foreach my $pid (@pids) { waitpid($pid, 0); die "a pull failed\n" if $?; }
			push @seconds, time - $began;
		}
		my $median = Bench::median(@seconds);
		push @report, [ $count, sprintf('%.3f', $median), sprintf('%.2f', $median * 1e6 / ($count * $rows)) ];
	}
	$bench->sql($_, 'DROP TABLE ' . join(', ', @names)) foreach qw(sender receiver);
	Bench::print_table(@report);
}

1;
