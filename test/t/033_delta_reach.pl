# mode => 'delta' where a comparison is not the whole truth, or hard to come by: triggers and foreign keys
# that write to tables which were compared before, many partitions, rows that are not in heaps.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
sub both { my ($sql) = @_; $_->safe_psql('postgres', $sql) foreach ($a, $b); return; }

# ---- what writes to one table make of others ---------------------------------------------------------

# Before the first write mirror has compared all tables; those that come later must still arrive as they
# are there.
both(q(
	CREATE TABLE a (id int PRIMARY KEY, code int UNIQUE, v text);
	INSERT INTO a SELECT i, i, 'a' || i FROM generate_series(1, 500) i;
	CREATE TABLE b (id int PRIMARY KEY, v text);
	INSERT INTO b SELECT i, 'b' || i FROM generate_series(1, 500) i;
	CREATE TABLE c (id int PRIMARY KEY, code int REFERENCES a (code) ON UPDATE CASCADE);
	INSERT INTO c SELECT i, i FROM generate_series(1, 500) i;
	CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (250);
	CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (250) TO (1000);
	INSERT INTO p SELECT i, 'p' || i FROM generate_series(1, 500) i;));
$a->safe_psql('postgres', q(UPDATE a SET v = 'changed' WHERE id IN (7, 8)));
$b->safe_psql('postgres', q(CREATE FUNCTION reach() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE TG_ARGV[0]; RETURN NULL; END $$));
sub trigger
{
	my ($statement) = @_;
	return "CREATE TRIGGER reach AFTER UPDATE ON a FOR EACH STATEMENT EXECUTE FUNCTION reach(\$s\$$statement\$s\$);";
}

my %reach = (
	nothing => '',
	update => trigger(q(UPDATE b SET v = 'reached' WHERE id = 7)),
	delete => trigger('DELETE FROM b WHERE id < 9'),
	insert => trigger(q(INSERT INTO b VALUES (1000, 'more') ON CONFLICT DO NOTHING)),
	truncate => trigger('TRUNCATE b'),
	partition => trigger(q(UPDATE p2 SET v = 'reached' WHERE id = 300)),
	undone => trigger(q(DO $d$ BEGIN UPDATE b SET v = 'x'; RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END $d$)),
	uncounted => trigger(q(UPDATE b SET v = 'reached' WHERE id = 7)) . ' SET LOCAL track_counts = off;');

# The checksums of all tables.
my $sums = q(SELECT string_agg(sync_checksum(t), ' ') FROM unnest('{a,b,c,p}'::text[]) t);
foreach my $name (sort keys %reach)
{
	my $setup = $reach{$name};
	my $script = '';
	foreach my $mode (qw(full delta))
	{
		my $verify = $name eq 'insert' ? '' : ', verify => true';
		$script .= "BEGIN; $setup
			SELECT string_agg(concat_ws(' ', table_name, created, updated, skipped, deleted, error_count, nullif(mode, '$mode')), ', ' ORDER BY table_name)
			FROM sync_transfer_all(:c, '{a,b,c,p}', strategy => 'mirror', mode => '$mode'$verify); $sums; ROLLBACK;\n";
	}
	my ($full, $full_sums, $delta, $delta_sums) = split /\n/, run_script($b, $a, $script);
	# Of an empty table all rows move.
	is($delta =~ s/(?<= 0) full//r, $full, "$name: counts") if $name eq 'truncate';
	is($delta, $full, "$name: counts") unless $name eq 'truncate';
	is($delta_sums, $full_sums, "$name: rows");
	is($delta_sums, $a->safe_psql('postgres', $sums), "$name: as there") unless $name eq 'insert';
}

# A foreign key takes a row along that was equal: its new value belongs to another row there.
$a->safe_psql('postgres', q(UPDATE a SET code = 2000 WHERE id = 3; INSERT INTO a VALUES (1001, 3, 'new'); UPDATE c SET code = 3 WHERE id = 3));
is( run_script($b, $a, "BEGIN; SELECT table_name, mode FROM sync_transfer_all(:c, '{a,b,c,p}', strategy => 'mirror', mode => 'delta', verify => true) ORDER BY table_name;
	SELECT code FROM c WHERE id = 3; $sums; ROLLBACK;"),
	"a|delta\nb|delta\nc|delta\np|delta\n3\n" . $a->safe_psql('postgres', $sums), 'ON UPDATE CASCADE: as there');

# Tables that nothing was written to are not compared again.
my $compared = sub {
	my ($setup) = @_;
	my ($ret, $out, $err) = $b->psql('postgres', "SET client_min_messages = debug1;\n" . pull_script($a,
		"BEGIN; $setup\nSELECT bytes_out AS before FROM sync_clients() \\gset\nSELECT FROM sync_transfer_all(:c, '{a,b,p}', strategy => 'mirror', mode => 'delta');
		SELECT bytes_out - :before FROM sync_clients(); ROLLBACK;"));
	return $out;
};
my ($once, $twice) = ($compared->(''), $compared->(trigger(q(UPDATE b SET v = 'reached' WHERE id = 7))));
cmp_ok($twice, '>', $once + 100, "only the table that was written to is compared again ($once, $twice bytes of requests)");
cmp_ok($twice, '<', $once * 2, 'the others are not');

# ---- what skip looks at ----------------------------------------------------------------------------------

# A row that is here stays as it is: what its counterpart says is asked for where all rows move, and not
# where the keys are compared.
$a->safe_psql('postgres', q(CREATE TABLE kept (id int PRIMARY KEY, v text); INSERT INTO kept SELECT i, i FROM generate_series(1, 100) i; UPDATE kept SET v = 'x' WHERE id = 5));
$b->safe_psql('postgres', 'CREATE TABLE kept (id int PRIMARY KEY, v int); INSERT INTO kept SELECT i, -i FROM generate_series(1, 50) i');
my $skip = sub { return "SELECT created, skipped, error_count FROM sync_transfer(:c, 'kept', mode => '$_[0]', max_errors => 5);" };
is(run_script($b, $a, "BEGIN; " . $skip->('full') . ' ROLLBACK;'), '50|49|1', 'full: a value that cannot be read');
is(run_script($b, $a, $skip->('delta')), '50|50|0', 'delta: it need not be');
is($b->safe_psql('postgres', 'SELECT count(*), sum(v) FROM kept'), '100|2500', 'the rows that were here are as they were');

# ---- many partitions -----------------------------------------------------------------------------------

# Differences in each of them; and so many in one that they are looked up in parts.
both(q(
	CREATE TABLE many (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
	SELECT format('CREATE TABLE many_%s PARTITION OF many FOR VALUES WITH (MODULUS 60, REMAINDER %s)', i, i) FROM generate_series(0, 59) i \gexec
	INSERT INTO many SELECT i, 'v' || i FROM generate_series(1, 6000) i;
	CREATE TABLE uneven (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE uneven_1 PARTITION OF uneven FOR VALUES FROM (0) TO (30000);
	CREATE TABLE uneven_2 PARTITION OF uneven FOR VALUES FROM (30000) TO (60000);
	CREATE TABLE uneven_3 PARTITION OF uneven FOR VALUES FROM (60000) TO (90000);
	INSERT INTO uneven SELECT i, 'v' || i FROM generate_series(1, 80000) i;));
foreach my $case (
	[ 'many', 'a few of them', 'id % 1000 = 0', '6' ],
	[ 'many', 'all of them', 'id % 20 = 0', '300' ],
	[ 'uneven', 'one in parts', 'id <= 20000 OR id IN (40000, 50000, 70000)', '20003' ])
{
	my ($table, $name, $condition, $count) = @$case;
	$a->safe_psql('postgres', "UPDATE $table SET v = v || 'x' WHERE $condition");
	foreach my $strategy (qw(overwrite mirror))
	{
		is( run_script($b, $a, "BEGIN; SELECT created, updated, mode FROM sync_transfer(:c, '$table', strategy => '$strategy', mode => 'delta'); SELECT sync_checksum('$table'); ROLLBACK;"),
			"0|$count|delta\n" . $a->safe_psql('postgres', "SELECT sync_checksum('$table')"), "$name, $strategy");
	}
	is(run_script($b, $a, "SELECT kind, count(*) FROM sync_diff(:c, '$table', row_limit => 30000) GROUP BY kind;"), "update|$count", "$name, sync_diff");
	run_script($b, $a, "SELECT FROM sync_transfer(:c, '$table', strategy => 'overwrite');");
}

# ---- other access methods ------------------------------------------------------------------------------

both(q(CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler;
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (1000);));
$a->safe_psql('postgres', "INSERT INTO $_ SELECT i, 'v' || i FROM generate_series(1, 100) i") foreach qw(t parts);
sub told
{
	my ($table) = @_;
	my ($ret, $out, $err) = $b->psql('postgres', pull_script($a, "SELECT mode, created + updated + skipped FROM sync_transfer(:c, '$table', strategy => 'overwrite', mode => 'delta');"));
	my ($reason) = $err =~ /NOTICE:  all rows of table "$table" are transferred: (.*)/;
	return "$ret $out " . ($reason // '');
}
is(told($_), '0 delta|100 ', "$_: a heap") foreach qw(t parts);
my $reason = sub { return "0 full|100 access method other of $_[0] is not heap" };
foreach my $node ($b, $a)
{
	my $where = $node->name;
	$node->safe_psql('postgres', 'ALTER TABLE t SET ACCESS METHOD other; ALTER TABLE part SET ACCESS METHOD other');
	is(told('t'), $reason->('t'), "of the $where: another access method");
	is(told('parts'), $reason->('part'), "of the $where: that of a partition");
	is(run_script($b, $a, q(SELECT count(*) FROM sync_diff(:c, 't');)), '0', "of the $where: sync_diff");
	$node->safe_psql('postgres', 'ALTER TABLE t SET ACCESS METHOD heap; ALTER TABLE part SET ACCESS METHOD heap');
}
no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
