# Foreign keys: order, self references, cycles and the ways out of them.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');

sub on_b { return $b->safe_psql('postgres', $_[0]); }

# Transfers everything; the options' batch size is small, so that a row and what it refers to are far apart.
sub transfer_all
{
	my ($options, %how) = @_;
	my $script = pull_script($a, "SELECT string_agg(concat_ws('|', table_name, created, updated, skipped, error_count), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, batch_size => 100, $options);");
	return $b->safe_psql('postgres', ($how{before} || '') . $script);
}

sub refused
{
	my ($options, $sqlstate, $text, $name, %how) = @_;
	return fails_with($b, ($how{before} || '') . pull_script($a, "SELECT sync_transfer_all(:c, batch_size => 100, $options);"), $sqlstate, $text, $name);
}

sub same
{
	my ($name, @tables) = @_;
	is($b->safe_psql('postgres', "SELECT sync_checksum('$_')"), $a->safe_psql('postgres', "SELECT sync_checksum('$_')"), "$name: $_") foreach @tables;
}

# The same tables on both sides, on the receiver with what its constraints are to be.
my @made;
sub schema
{
	my ($sql, $on_receiver) = @_;
	foreach my $node ($a, $b)
	{
		$node->safe_psql('postgres', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC; DROP SCHEMA IF EXISTS far CASCADE; CREATE EXTENSION sync');
		$node->safe_psql('postgres', $sql);
	}
	$a->safe_psql('postgres', 'SELECT sync_enable()');
	on_b($on_receiver) if $on_receiver;
}

my $deferrability = q(SELECT string_agg(concat_ws(' ', conrelid::regclass, conname, condeferrable, condeferred), ', ' ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE contype = 'f');

# ---- order over the whole graph ------------------------------------------------------------------

schema(q(CREATE SCHEMA far;
	CREATE TABLE far.z_root (a int, b int, PRIMARY KEY (b, a));
	CREATE TABLE a_leaf (id int PRIMARY KEY, m int, z int);
	CREATE TABLE m_middle (id int PRIMARY KEY, ra int, rb int, code text UNIQUE);
	CREATE TABLE z_other (id int PRIMARY KEY, code text)),
	q(ALTER TABLE m_middle ADD FOREIGN KEY (rb, ra) REFERENCES far.z_root; ALTER TABLE a_leaf ADD FOREIGN KEY (m) REFERENCES m_middle, ADD FOREIGN KEY (z) REFERENCES z_other;
	ALTER TABLE z_other ADD FOREIGN KEY (code) REFERENCES m_middle (code) NOT VALID));
$a->safe_psql('postgres', q(INSERT INTO far.z_root SELECT i, -i FROM generate_series(1, 300) i; INSERT INTO m_middle SELECT i, i, -i, 'c' || i FROM generate_series(1, 300) i;
	INSERT INTO z_other SELECT i, 'c' || i FROM generate_series(1, 300) i; INSERT INTO a_leaf SELECT i, i, 301 - i FROM generate_series(1, 300) i));
is( run_script($b, $a, q(SELECT string_agg(table_name, ' ') FROM sync_transfer_all(:c, '{a_leaf,z_other,m_middle,far.z_root}');)),
	'far.z_root m_middle z_other a_leaf', 'referenced tables first, over schemas, composite keys, keys that are not primary');

# ---- self references -----------------------------------------------------------------------------

my $tree = q(CREATE TABLE tree (id int PRIMARY KEY, parent int, v text));
my $rows = q(INSERT INTO tree SELECT i, CASE WHEN i < 1000 THEN i + 1 END, 'v' || i FROM generate_series(1, 1000) i);
foreach my $case (
	[ 'deferrable', 'DEFERRABLE', '', '' ],
	[ 'initially deferred', 'DEFERRABLE INITIALLY DEFERRED', '', '' ],
	[ 'of the owner', '', '', '' ],
	[ 'that may be null, online', '', "mode => 'online',", '' ],
	[ 'that may be null, of somebody else', '', '', q(SET sync.allowed_peers = '*'; SET ROLE clerk;) ])
{
	my ($name, $clause, $option, $before) = @$case;
	schema($tree, "ALTER TABLE tree ADD FOREIGN KEY (parent) REFERENCES tree $clause; CREATE ROLE clerk$$; GRANT ALL ON tree TO clerk$$; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk$$");
	$before =~ s/clerk/clerk$$/;
	$a->safe_psql('postgres', $rows);
	my $constraints = on_b($deferrability);
	on_b('CREATE TABLE log (op text, late bool); GRANT ALL ON log TO PUBLIC');
	is(transfer_all("$option tables => '{tree}'", before => $before), 'tree|1000|0|0|0', "self reference $name");
	same("self reference $name", 'tree');
	is(on_b($deferrability), $constraints, 'constraints are as before');
	on_b(q(UPDATE tree SET parent = NULL WHERE id = 5; UPDATE tree SET v = 'x', parent = 7 WHERE id = 9; DELETE FROM tree WHERE id = 1; UPDATE tree SET v = 'y' WHERE id = 11));
	is(transfer_all("$option tables => '{tree}', strategy => 'skip'", before => $before), 'tree|1|0|999|0', "skip $name");
	is(on_b('SELECT count(*) FROM tree WHERE parent IS NULL'), '2', 'leaves existing rows as they are');
	is(transfer_all("$option tables => '{tree}', strategy => 'merge'", before => $before), 'tree|0|3|997|0', "merge $name");
	same("merge $name", 'tree');
	$a->safe_psql('postgres', 'UPDATE tree SET parent = NULL WHERE id = 20');
	is(transfer_all("$option tables => '{tree}', strategy => 'overwrite', verify => true", before => $before), 'tree|0|1|999|0', "overwrite $name");
	same("overwrite $name", 'tree');
	is(transfer_all("$option tables => '{tree}', strategy => 'overwrite'", before => $before), 'tree|0|0|1000|0', "nothing to do $name");
	# A reference to nothing is found.
	$a->safe_psql('postgres', 'UPDATE tree SET parent = 5000 WHERE id = 30');
	refused("$option tables => '{tree}', strategy => 'overwrite'", '23503', qr/tree_parent_fkey/, "a violation $name", before => $before);
	is(on_b($deferrability), $constraints, 'constraints are as before');
	is(on_b('SELECT parent FROM tree WHERE id = 30'), '31', 'and rows too');
	# Rows with other errors do not make their children fail.
	$a->safe_psql('postgres', 'UPDATE tree SET parent = 31 WHERE id = 30');
	on_b(q(DELETE FROM tree; ALTER TABLE tree ADD CHECK (id <> 1)));
	is(transfer_all("$option tables => '{tree}', max_errors => 1", before => $before), 'tree|999|0|0|1', "one bad row $name");
	on_b("DROP OWNED BY clerk$$; DROP ROLE clerk$$");
}
schema('CREATE TABLE tree (id int PRIMARY KEY, parent int NOT NULL)', q(ALTER TABLE tree ADD FOREIGN KEY (parent) REFERENCES tree; CREATE ROLE clerk; GRANT ALL ON tree TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk));
$a->safe_psql('postgres', 'INSERT INTO tree SELECT i, CASE WHEN i < 1000 THEN i + 1 ELSE i END FROM generate_series(1, 1000) i');
refused(q(tables => '{tree}', mode => 'online'), '0A000', qr/foreign keys of table "tree" form a cycle.*"tree_parent_fkey" to table "tree".*triggers => 'skip'/s, 'a self reference that nothing can be done about');
refused(q(tables => '{tree}'), '0A000', qr/form a cycle/, 'of somebody else', before => q(SET sync.allowed_peers = '*'; SET ROLE clerk;));
is(transfer_all(q(tables => '{tree}', mode => 'online', triggers => 'skip')), 'tree|1000|0|0|0', 'but skipping triggers');
on_b('DELETE FROM tree');
is(transfer_all(q(tables => '{tree}')), 'tree|1000|0|0|0', 'or as its owner');

# ---- cycles --------------------------------------------------------------------------------------

my $ring = q(CREATE TABLE r1 (id int PRIMARY KEY, next int, v text); CREATE TABLE r2 (id int PRIMARY KEY, next int, v text); CREATE TABLE r3 (id int PRIMARY KEY, next int NOT NULL, v text));
my $fill = q(INSERT INTO r1 SELECT i, i, 'v' FROM generate_series(1, 500) i; INSERT INTO r2 SELECT i, 501 - i, 'v' FROM generate_series(1, 500) i; INSERT INTO r3 SELECT i, 501 - i, 'v' FROM generate_series(1, 500) i);
my $keys = q(ALTER TABLE r1 ADD FOREIGN KEY (next) REFERENCES r2 %s; ALTER TABLE r2 ADD FOREIGN KEY (next) REFERENCES r3; ALTER TABLE r3 ADD FOREIGN KEY (next) REFERENCES r1);
foreach my $case ([ 'of the owner', '', '' ], [ 'deferrable', 'DEFERRABLE', '' ], [ 'online, by nulls', '', ", mode => 'online'" ], [ 'without triggers', '', ", triggers => 'skip'" ])
{
	my ($name, $clause, $option) = @$case;
	schema($ring, sprintf($keys, $clause));
	$a->safe_psql('postgres', $fill);
	my $constraints = on_b($deferrability);
	is(transfer_all("strategy => 'overwrite', verify => true$option"), 'r1|500|0|0|0 r2|500|0|0|0 r3|500|0|0|0', "a ring of three $name");
	same("a ring $name", 'r1', 'r2', 'r3');
	$a->safe_psql('postgres', q(INSERT INTO r1 VALUES (501, NULL, 'new'); INSERT INTO r3 VALUES (501, 501, 'new'); INSERT INTO r2 VALUES (501, 501, 'new'); UPDATE r1 SET next = 501 WHERE id IN (7, 501);
		UPDATE r2 SET next = 501 WHERE id = 8; UPDATE r3 SET next = 501, v = 'u' WHERE id = 9));
	is(transfer_all("strategy => 'overwrite', verify => true$option"), 'r1|1|1|499|0 r2|1|1|499|0 r3|1|1|499|0', "and again, with rows on both sides, $name");
	same("a ring $name", 'r1', 'r2', 'r3');
	is(on_b($deferrability), $constraints, 'constraints are as before');
	# Mirrored deletes within a cycle.
	on_b(q(SET session_replication_role = replica; INSERT INTO r1 VALUES (900, 900, 'x'); INSERT INTO r2 VALUES (900, 900, 'x'); INSERT INTO r3 VALUES (900, 900, 'x')));
	is(transfer_all("strategy => 'mirror'$option"), 'r1|0|0|501|0 r2|0|0|501|0 r3|0|0|501|0', "a ring is mirrored $name") if $name ne 'online, by nulls';
}

# A cycle is resolved where it can be, whichever of its keys that is; the others keep their order.
schema(q(CREATE TABLE dept (id int PRIMARY KEY, boss int, name text NOT NULL); CREATE TABLE emp (id int PRIMARY KEY, dept int NOT NULL, name text)),
	q(ALTER TABLE dept ADD FOREIGN KEY (boss) REFERENCES emp; ALTER TABLE emp ADD FOREIGN KEY (dept) REFERENCES dept));
$a->safe_psql('postgres', q(INSERT INTO dept SELECT i, i, 'd' FROM generate_series(1, 200) i; INSERT INTO emp SELECT i, i, 'e' FROM generate_series(1, 200) i));
is(transfer_all(q(mode => 'online', strategy => 'overwrite')), 'dept|200|0|0|0 emp|200|0|0|0', 'one key that may be null is enough');
same('departments', 'dept', 'emp');

# Composite keys of which one column may be null; MATCH FULL, where that does not help.
foreach my $match ('SIMPLE', 'FULL')
{
	schema(q(CREATE TABLE node (tenant int, id int, parent int, PRIMARY KEY (tenant, id))), "ALTER TABLE node ADD FOREIGN KEY (tenant, parent) REFERENCES node MATCH $match");
	$a->safe_psql('postgres', 'INSERT INTO node SELECT 1, i, CASE WHEN i < 500 THEN i + 1 ELSE i END FROM generate_series(1, 500) i');
	if ($match eq 'SIMPLE')
	{
		is(transfer_all(q(mode => 'online')), 'node|500|0|0|0', 'a composite key with a column that may be null');
		same('composite', 'node');
	}
	else
	{
		refused(q(mode => 'online'), '0A000', qr/form a cycle/, 'MATCH FULL');
	}
}

# Columns that are filled in later, in rows that policies do not let the caller update, or see.
$b->safe_psql('postgres', 'CREATE ROLE tenant');
schema('CREATE TABLE node (id int PRIMARY KEY, parent int)', q(ALTER TABLE node ADD FOREIGN KEY (parent) REFERENCES node, ENABLE ROW LEVEL SECURITY;
	CREATE POLICY may_see ON node FOR SELECT USING (true); CREATE POLICY may_insert ON node FOR INSERT WITH CHECK (true); GRANT ALL ON node TO tenant; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO tenant));
$a->safe_psql('postgres', 'INSERT INTO node SELECT i, CASE WHEN i < 300 THEN i + 1 END FROM generate_series(1, 300) i');
my %as_tenant = (before => "SET sync.allowed_peers = '*'; SET ROLE tenant;\n");
refused(q(strategy => 'skip'), '42501', qr/row level security keeps references of table "node" from being filled in/, 'rows that may not be updated', %as_tenant);
is(on_b('SELECT count(*) FROM node'), '0', 'do not come without what they refer to');
on_b('CREATE POLICY may_update ON node FOR UPDATE USING (id < 100)');
refused(q(strategy => 'skip'), '42501', undef, 'some that may', %as_tenant);
on_b('DROP POLICY may_update ON node; CREATE POLICY may_update ON node FOR UPDATE USING (true)');
is(transfer_all(q(strategy => 'skip'), %as_tenant), 'node|300|0|0|0', 'all that may');
same('filled in', 'node');

# Partitioned tables, whose partitions have keys of their own, in a cycle.
schema(q(CREATE TABLE p (id int, parent int, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (2000)),
	q(ALTER TABLE p ADD FOREIGN KEY (parent) REFERENCES p));
$a->safe_psql('postgres', 'INSERT INTO p SELECT i, CASE WHEN i < 1000 THEN i + 1 END FROM generate_series(1, 1000) i');
my $partitioned = on_b($deferrability);
is(transfer_all(q(strategy => 'overwrite')), 'p|1000|0|0|0', 'a partitioned table that refers to itself');
is(on_b($deferrability), $partitioned, 'constraints are as before');
is(transfer_all(q(strategy => 'overwrite', mode => 'online')), 'p|0|0|1000|0', 'online');
same('partitioned', 'p');

# Constraints of one name, only one of which is deferrable, cannot be told apart by SET CONSTRAINTS.
schema(q(CREATE TABLE t1 (id int PRIMARY KEY, parent int); CREATE TABLE t2 (id int PRIMARY KEY, parent int)),
	q(ALTER TABLE t1 ADD CONSTRAINT twin FOREIGN KEY (parent) REFERENCES t1 DEFERRABLE; ALTER TABLE t2 ADD CONSTRAINT twin FOREIGN KEY (parent) REFERENCES t2));
$a->safe_psql('postgres', "INSERT INTO t$_ SELECT i, CASE WHEN i < 300 THEN i + 1 END FROM generate_series(1, 300) i") foreach (1, 2);
is(transfer_all(q(strategy => 'overwrite')), 't1|300|0|0|0 t2|300|0|0|0', 'constraints that share a name');
on_b('DELETE FROM t1; DELETE FROM t2; ALTER TABLE t1 ALTER CONSTRAINT twin DEFERRABLE INITIALLY DEFERRED');
is(transfer_all(q(strategy => 'overwrite')), 't1|300|0|0|0 t2|300|0|0|0', 'one of them initially deferred');
on_b('DELETE FROM t1; ALTER TABLE t1 ALTER CONSTRAINT twin NOT DEFERRABLE');
is(transfer_all(q(tables => '{t1}', strategy => 'overwrite')), 't1|300|0|0|0', 'one of them made deferrable for a while');

# The caller's own settings of constraints.
is( run_script($b, $a, q(BEGIN; SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM t1; SELECT created FROM sync_transfer(:c, 't1', batch_size => 10); COMMIT;)), '300', 'after SET CONSTRAINTS ALL IMMEDIATE');

no_leftovers($a, 'in the end');
done_testing();
