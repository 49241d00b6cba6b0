# mode => 'delta': for every strategy, key type and shape of the differences the same comes out as with mode => 'full'.
# SYNC_SEED repeats a run.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $seed = $ENV{SYNC_SEED} // int(rand(1_000_000));
note "SYNC_SEED=$seed";
srand($seed);

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver', conf => <<'CONF');
datestyle = 'sql, dmy'
timezone = 'Asia/Kathmandu'
extra_float_digits = -10
bytea_output = 'escape'
CONF
$_->safe_psql('postgres', 'CREATE EXTENSION citext') foreach ($a, $b);
my @labels = map { "l$_" } 1 .. 900;
$a->safe_psql('postgres', 'CREATE TYPE label AS ENUM (' . join(', ', map { "'$_'" } @labels) . ')');
$b->safe_psql('postgres', 'CREATE TYPE label AS ENUM (' . join(', ', map { "'$_'" } reverse @labels) . ')');

# For each kind of table: its key's columns there and here, the key of row i, and whether it can be compared.
my %kinds = (
	integer   => [ 'k int PRIMARY KEY', undef, 'i - 100', 1 ],
	bigint    => [ 'k bigint PRIMARY KEY', undef, '9223372036854775000 - i', 1 ],
	composite => [ 'k text, l int, PRIMARY KEY (l, k)', undef, q('a' || i / 7, i % 7), 1 ],
	# Rendered as text without care, these are the same.
	injective => [ 'k text, l text, PRIMARY KEY (k, l)', undef, q(repeat('a', i % 30), repeat('a', 60 - i % 30) || i / 30), 1 ],
	collated  => [ 'k text COLLATE "C" PRIMARY KEY', 'k text COLLATE "en-x-icu" PRIMARY KEY', q(chr(65 + i % 60) || i), 1 ],
	uuid      => [ 'k uuid PRIMARY KEY', undef, q(md5(i::text)::uuid), 1 ],
	numeric   => [ 'k numeric PRIMARY KEY', undef, 'i / 4.0', 1 ],
	time      => [ 'k timestamptz PRIMARY KEY', undef, q(CASE i WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE timestamptz '2000-01-01 00:00:00+00' + i * interval '7 hours' END), 1 ],
	enum      => [ 'k label PRIMARY KEY', undef, q(('l' || 1 + i)::label), 1 ],
	bytea     => [ 'k bytea PRIMARY KEY', undef, q(decode(md5(i::text), 'hex')), 1 ],
	float     => [ 'k float8 PRIMARY KEY', undef, q(CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE i / 3.0 END), 1 ],
	char      => [ 'k char(8) PRIMARY KEY', undef, q('c' || i), 1 ],
	unique    => [ 'k int NOT NULL UNIQUE', 'k int NOT NULL UNIQUE', 'i', 0 ],     # what the peer knows as its key is a primary key
	citext    => [ 'k citext PRIMARY KEY', undef, q('Key' || i), 0 ],
	types     => [ 'k int PRIMARY KEY', 'k bigint PRIMARY KEY', 'i', 0 ],
	none      => [ 'k int', undef, 'i % 50', 0 ]);

my $values = q(CASE WHEN i % 5 = 0 THEN NULL WHEN i % 211 = 0 THEN repeat(md5(i::text), 300) ELSE 'v' || i END, i / 100.0, jsonb_build_object('i', i, 'a', 1.50),
	CASE i % 9 WHEN 0 THEN '-0'::float8 WHEN 1 THEN 'NaN' ELSE i / 7.0 END, ARRAY[i, NULL], i * interval '1 day 3 seconds', i);
my $columns = 'v text, n numeric, j jsonb, f float8, a int[], t interval, i int';
my %shapes = (
	nothing   => sub { 'false' },
	one       => sub { 'i = ' . int(rand(600)) },
	scattered => sub { 'random() < 0.03' },
	clustered => sub { my $from = int(rand(500)); "i BETWEEN $from AND " . ($from + int(rand(40))) },
	ends      => sub { 'i < 4 OR i > 593' },
	everything => sub { 'true' });
my @shapes = sort keys %shapes;

sub condition { return $shapes{ $_[0] // $shapes[ rand @shapes ] }->(); }

# Changes to a table: of values, of how they are written, of keys; rows that go and that come.
sub changes
{
	my ($name, $key, $from) = @_;
	my @changes;
	push @changes, "UPDATE $name SET v = coalesce(v, '') || 'x' WHERE " . condition() if rand() < 0.7;
	push @changes, "UPDATE $name SET n = n::numeric(10, 4) WHERE " . condition('scattered') if rand() < 0.3;
	push @changes, "UPDATE $name SET v = NULL, j = NULL WHERE " . condition('scattered') if rand() < 0.3;
	push @changes, "DELETE FROM $name WHERE " . condition(rand() < 0.9 ? qw(one clustered ends scattered)[ rand 4 ] : 'everything') if rand() < 0.6;
	push @changes, "INSERT INTO $name SELECT $key, $values FROM generate_series($from, $from + " . int(rand(40)) . ') i' if rand() < 0.6;
	return join(';', @changes, '');
}

my ($deltas, $rounds) = (0, 5);
foreach my $round (1 .. $rounds)
{
	my (%there, %here);
	foreach my $kind (sort keys %kinds)
	{
		my ($their, $our, $key) = @{ $kinds{$kind} };
		my $table = "t_$kind";
		my $rows = "INSERT INTO $table SELECT $key, $values FROM generate_series(0, 597) i;";
		my $set = "SELECT setseed(" . rand() . ');';
		$there{$kind} = "DROP TABLE IF EXISTS $table; CREATE TABLE $table ($their, $columns); $rows $set" . changes($table, $key, 600);
		$here{$kind} = "DROP TABLE IF EXISTS $table; CREATE TABLE $table (" . ($our // $their) . ", $columns); $rows $set" . changes($table, $key, rand() < 0.5 ? 600 : 700);
		# The same key, written otherwise.
		$here{$kind} .= 'UPDATE t_numeric SET k = k::numeric(10, 3) WHERE i % 40 = 0;' if $kind eq 'numeric';
		$here{$kind} .= 'UPDATE t_citext SET k = upper(k) WHERE i % 40 = 0;' if $kind eq 'citext';
		$here{$kind} .= 'ALTER TABLE t_integer ADD extra text DEFAULT 3;' if $kind eq 'integer';
		$here{$kind} .= 'ALTER TABLE t_uuid ALTER v SET STORAGE EXTERNAL; UPDATE t_uuid SET v = v WHERE i % 211 = 0;' if $kind eq 'uuid';
	}
	my $quiet = 'SET client_min_messages = error;';
	$a->safe_psql('postgres', $quiet . join(' ', map { $there{$_} } sort keys %there));
	$b->safe_psql('postgres', $quiet . join(' ', map { $here{$_} } sort keys %here));
	my $remote = $a->safe_psql('postgres', join(' ', map { "SELECT '$_ ' || sync_checksum('t_$_');" } sort keys %kinds));

	my $script = $quiet;
	my @what;
	foreach my $kind (sort keys %kinds)
	{
		foreach my $strategy ($kind eq 'none' ? 'skip' : qw(skip overwrite merge mirror))
		{
			foreach my $mode (qw(full delta))
			{
				my $call = "sync_transfer(:c, 't_$kind', strategy => '$strategy', mode => '$mode', max_errors => NULL, max_deletes => 100000";
				my $verify = $strategy eq 'mirror' || $strategy eq 'overwrite' ? ', verify => true' : '';
				my $sum = $kind eq 'integer' ? q((SELECT md5(string_agg(t::text, '|' ORDER BY k)) FROM t_integer t)) : "sync_checksum('t_$kind')";
				$script .= "SELECT created, updated, skipped, deleted, error_count FROM $call, dry_run => true);\n";
				$script .= "BEGIN; SELECT created, updated, skipped, deleted, error_count, mode FROM $call$verify); SELECT $sum; ROLLBACK;\n";
			}
			push @what, "$kind, $strategy";
		}
	}
	my @got = split /\n/, run_script($b, $a, $script);
	is(scalar(@got), 6 * @what, "round $round: all of the results");
	my %remote = map { split / / } split /\n/, $remote;
	foreach my $what (@what)
	{
		my ($dry_full, $full, $sum_full, $dry_delta, $delta, $sum_delta) = splice @got, 0, 6;
		my ($kind, $strategy) = split /, /, $what;
		$delta =~ s/\|(delta|full)$// or BAIL_OUT("no mode in: $delta");
		my $mode = $1;
		$deltas++ if $mode eq 'delta';
		$full =~ s/\|full$//;
		is($delta, $full, "round $round: $what: counts");
		is($sum_delta, $sum_full, "round $round: $what: rows");
		# A dry run knows nothing of constraints, as that of a key that skip does not go by.
		is("$dry_delta $dry_full", "$full $full", "round $round: $what: dry runs") unless $what eq 'unique, skip';
		is($sum_delta, $remote{$kind}, "round $round: $what: as there") if $strategy eq 'mirror' && $kind ne 'integer';
		is($mode, 'full', "round $round: $what: cannot be compared") unless $kinds{$kind}[3];
	}
}
cmp_ok($deltas, '>', $rounds * 4 * 12 / 2, 'most were compared');

# ---- why not -------------------------------------------------------------------------------------

$_->safe_psql('postgres', 'CREATE TABLE t (id serial PRIMARY KEY, v text)') foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i));
sub told
{
	my ($arguments, $before) = @_;
	my ($ret, $stdout, $stderr) = $b->psql('postgres', 'SET client_min_messages = debug1; ' . ($before // '') . "\n" . pull_script($a, "SELECT mode FROM sync_transfer(:c, 't'$arguments);"));
	my ($reason) = $stderr =~ /all rows of table "t" are transferred: (.*)/;
	my $level = $stderr =~ /NOTICE:  all rows/ ? 'NOTICE' : $stderr =~ /DEBUG:  all rows/ ? 'DEBUG' : 'nothing';
	return "$ret $stdout $level " . ($reason // '');
}
is(told(q(, mode => 'delta')), '0 delta nothing ', 'a table that is empty');
is(told(q(, mode => 'delta')), '0 delta nothing ', 'and one that is equal');
is(told(''), '0 full DEBUG it is small', 'auto: a small one');
is(told(q(, mode => 'full')), '0 full nothing ', 'full needs no reason');
is(told(q(, mode => 'online')), '0 full nothing ', 'nor online');
is(told(q(, mode => 'delta', strategy => 'append')), '0 full NOTICE append takes every row', 'append');
$b->safe_psql('postgres', 'DELETE FROM t; INSERT INTO t SELECT 1000 + i FROM generate_series(1, 3000) i');
like(told(q(, mode => 'delta', strategy => 'overwrite')), qr/0 full NOTICE about \d+ of 3100 rows differ/, 'tables with nothing in common');
$b->safe_psql('postgres', 'CREATE ROLE clerk; GRANT SELECT, INSERT, UPDATE ON t TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)');
is(told(q(, mode => 'delta', strategy => 'overwrite', sequences => 'leave'), q(SET sync.allowed_peers = '*'; SET ROLE clerk;)), '0 full NOTICE row level security applies to it', 'row level security');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', mode => 'partial');)), '22023', qr/mode/, 'a mode that is none', hint => qr/delta/);

# A column with a value for the rows that were there before it, on either side or both.
$_->safe_psql('postgres', q(CREATE TABLE grown (id int PRIMARY KEY, v text); INSERT INTO grown SELECT i, 'v' || i FROM generate_series(1, 1000) i)) foreach ($a, $b);
foreach my $where ([ 'there', $a ], [ 'and here', $b ])
{
	$where->[1]->safe_psql('postgres', q(ALTER TABLE grown ADD late int DEFAULT 7));
	my $grown = q(SELECT created, updated, skipped, mode FROM sync_transfer(:c, 'grown', strategy => 'mirror', mode => 'delta', verify => true, drop_extra_columns => true););
	is(run_script($b, $a, $grown), '0|0|1000|delta', "a column that was added $where->[0]");
	$a->safe_psql('postgres', q(UPDATE grown SET v = v || '!' WHERE id % 500 = 0));
	is(run_script($b, $a, $grown), '0|2|998|delta', "and rows written since");
}

# A push moves whole tables.
$a->safe_psql('postgres', 'TRUNCATE t');
is($b->safe_psql('postgres', 'ALTER TABLE t DISABLE ROW LEVEL SECURITY;' . pull_script($a, q(SELECT mode FROM sync_push(:c, 't', mode => 'delta');), direction => 'receive')), 'full', 'a push');

no_leftovers($a, 'in the end');
done_testing();
