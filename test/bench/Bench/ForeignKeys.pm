# Foreign keys checked as sets, with triggers => 'skip', beside a check of each row. The table has a
# row already, so that its rows do not go in bulk.
package Bench::ForeignKeys;

use strict;
use warnings;

sub skipped
{
	my ($bench) = @_;
	my $rows = int($bench->option('rows') / 4);
	my $tables = 'CREATE TABLE account (id int PRIMARY KEY);
		CREATE TABLE entry (id int PRIMARY KEY, debit int NOT NULL REFERENCES account, credit int NOT NULL REFERENCES account)';
	foreach my $name (qw(sender receiver))
	{
		$bench->sql($name, $tables, 'INSERT INTO account SELECT generate_series(1, 10000)');
	}
	$bench->sql('sender', "INSERT INTO entry SELECT i, i % 10000 + 1, (i * 7) % 10000 + 1 FROM generate_series(1, $rows) i", 'VACUUM ANALYZE');
	my @variants = map {
		my $triggers = $_;
		{ name => "triggers => '$triggers'",
			before => sub {
				$bench->sql('receiver', 'TRUNCATE entry', 'INSERT INTO entry VALUES (0, 1, 1)', 'ANALYZE entry', 'CHECKPOINT');
				$bench->pull('entry', "triggers => '$triggers'", 'created') },
			run => sub { $bench->sql('receiver', $_[0]) },
			after => sub { die "rows are missing\n" unless $bench->sql('receiver', 'SELECT count(*) FROM entry') == $rows + 1 } }
	} qw(skip fire);
	my %results = $bench->alternate(@variants);
	my @report = ([ "$rows rows with two foreign keys", 's', 'ratio' ]);
	my $peer = $results{ $variants[1]{name} }{seconds};
	push @report, [ $_->{name}, sprintf('%.2f', $results{ $_->{name} }{seconds}), sprintf('%.2f', $results{ $_->{name} }{seconds} / $peer) ] foreach @variants;
	Bench::print_table(@report);
	$bench->sql($_, 'DROP TABLE entry, account') foreach qw(sender receiver);
}

1;
