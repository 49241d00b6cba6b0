# Starts two servers with equal settings, runs the parts that were asked for, prints what they found.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Getopt::Long;

use Bench;
use Bench::Delta;
use Bench::Transfer;
use Bench::Json;
use Bench::Connections;
use Bench::ForeignKeys;
use Bench::Scale;

my @parts = (
	[ transfer => 'full transfer into an empty table, into a table that sync creates; memory',
		\&Bench::Transfer::full ],
	[ resync => 'the same tables once more, with equal rows, all of which travel', \&Bench::Transfer::again ],
	[ delta  => 'W1 once more: nothing changed, and a little', \&Bench::Delta::resync ],
	[ delay  => 'full transfer over a link with 200 ms of delay', \&Bench::Transfer::delayed ],
	[ export => 'sync_export of a page, JSON of a whole table over HTTP', \&Bench::Json::export ],
	[ import => 'sync_import, 10,000 records a call', \&Bench::Json::import_records ],
	[ connect => 'first byte of connections, one after another', \&Bench::Connections::first_byte ],
	[ idle => 'what the launcher does when there is nothing to do', \&Bench::Connections::idle ],
	[ keys => q(foreign keys with triggers => 'skip'), \&Bench::ForeignKeys::skipped ],
	[ rows => 'how time and memory grow with the rows of a table', \&Bench::Scale::rows ],
	[ columns => 'with its columns', \&Bench::Scale::columns ],
	[ tables => 'with the number of tables', \&Bench::Scale::tables ],
	[ peers => 'with the number of peers at once', \&Bench::Scale::peers ],
	[ list => 'sync_list_tables(exact_counts => false)', \&Bench::Scale::list ],
);

my %options = (rows => 2_000_000, 'wide-rows' => 500_000, rounds => 3, 'max-rows' => 1_000_000);
my ($dir, $chosen, $help);
GetOptions(
	'dir=s' => \$dir, 'parts=s' => \$chosen, 'help' => \$help,
	map { ("$_=i" => \$options{$_}) } keys %options) or exit 2;
if ($help || !$dir)
{
	print <<'HELP';
usage: test/bench/run [options]
  --parts=a,b        only these parts
  --rows=n           of pgbench_accounts, W1 (2000000)
  --wide-rows=n      of the table of 20 columns, W2 (500000)
  --rounds=n         how often each thing is measured (3)
  --max-rows=n       largest table of the part "rows" (1000000)
parts:
HELP
	printf "  %-9s  %s\n", @$_[0, 1] foreach @parts;
	exit 0;
}
my %wanted = map { $_ => 1 } split /,/, $chosen // join ',', map { $_->[0] } @parts;
my @unknown = grep { my $name = $_; !grep { $_->[0] eq $name } @parts } keys %wanted;
die "unknown parts: @unknown\n" if @unknown;

$| = 1;
my $bench = Bench->new($dir, %options);
printf "fsync on, wal_level replica, %d rounds, medians\n", $options{rounds};
foreach my $part (@parts)
{
	next unless $wanted{ $part->[0] };
	printf "\n## %s: %s\n", @$part[0, 1];
	$part->[2]->($bench);
}
