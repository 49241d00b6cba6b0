# A table that is small when a transfer begins and large soon after: rows are looked up by its index
# all the same. Counted are comparisons, not seconds.
use strict;
use warnings;
use SyncTest;
use Test::More;

my $rows = 30_000;
my $sender = new_sync_node('sender');
my $receiver = new_sync_node('receiver', conf => <<'CONF');
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_analyze = on
auto_explain.log_timing = off
CONF

my $table = 'CREATE TABLE growing (id int PRIMARY KEY, value text)';
$sender->safe_psql('postgres', "$table; INSERT INTO growing SELECT i, 'v' || i FROM generate_series(1, $rows) i");
$receiver->safe_psql('postgres', $table);

foreach my $strategy (qw(skip overwrite merge))
{
	# What the planner knows of the table is that it has one row.
	$receiver->safe_psql('postgres', 'TRUNCATE growing');
	$receiver->safe_psql('postgres', q(INSERT INTO growing VALUES (0, 'here'); ANALYZE growing));
	my $offset = -s $receiver->logfile;
	my $result = run_script($receiver, $sender,
		"SELECT created, updated, skipped FROM sync_transfer(:c, 'growing', strategy => '$strategy', batch_size => 5000);");
	is($result, "$rows|0|0", "$strategy: all rows have come");
	my $log = substr(PostgreSQL::Test::Utils::slurp_file($receiver->logfile), $offset);
	my @inserts = $log =~ /Query Text: INSERT INTO public\.growing/g;
	cmp_ok(scalar @inserts, '>=', 3, "$strategy: the plans are in the log");
	my $compared = 0;
	$compared += $1 while $log =~ /Rows Removed by (?:Join )?Filter: (\d+)/g;
	# Each is looked up once before it is inserted, which removes it from those that exist.
	cmp_ok($compared, '<', 2 * $rows, "$strategy: rows are not compared with all others");
}

no_leftovers($_, $_->name) foreach $sender, $receiver;
done_testing();
