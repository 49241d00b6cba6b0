# Strategy mirror and its guards, dry_run, verify.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');

my $counts = q(string_agg(concat_ws('|', table_name, created, updated, skipped, deleted), ' ' ORDER BY table_name));

sub transfer_all
{
	my ($options) = @_;
	return run_script($b, $a, "SELECT $counts FROM sync_transfer_all(:c, $options);");
}

sub same_tables
{
	my ($name, @tables) = @_;
	foreach my $table (@tables)
	{
		is($b->safe_psql('postgres', "SELECT sync_checksum('$table')"), $a->safe_psql('postgres', "SELECT sync_checksum('$table')"), "$name: $table is equal");
	}
}

# What a table looks like to somebody who wants to know whether it was touched at all.
my $state = q(SELECT string_agg(concat_ws(' ', relname, n, xmins), E'\n' ORDER BY relname) FROM (
	SELECT 'parent' AS relname, count(*) AS n, md5(string_agg(xmin || ctid::text || p::text, ',' ORDER BY ctid)) AS xmins FROM parent p
	UNION ALL SELECT 'child', count(*), md5(string_agg(xmin || ctid::text || c::text, ',' ORDER BY ctid)) FROM child c) s);

my $tables = q(CREATE TABLE parent (id int PRIMARY KEY, v text);
	CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int NOT NULL REFERENCES parent, n numeric));
$_->safe_psql('postgres', $tables) foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO parent SELECT i, 'v' || i FROM generate_series(1, 2000) i;
	INSERT INTO child (parent, n) SELECT i, i FROM generate_series(1, 500) i));

# ---- dry runs ------------------------------------------------------------------------------------

my $before = $b->safe_psql('postgres', $state);
is(transfer_all(q(dry_run => true, strategy => 'mirror')), 'child|500|0|0|0 parent|2000|0|0|0', 'a dry run into empty tables');
is($b->safe_psql('postgres', $state), $before, 'writes nothing');
is(transfer_all(q(strategy => 'mirror')), 'child|500|0|0|0 parent|2000|0|0|0', 'and tells what the real one does');
same_tables('mirror', 'parent', 'child');

my $change = q(INSERT INTO parent SELECT i, 'only here' FROM generate_series(3000, 3009) i;
	INSERT INTO child (parent, n) SELECT i, i FROM generate_series(3000, 3004) i;
	UPDATE parent SET v = 'changed' WHERE id < 4; UPDATE parent SET v = NULL WHERE id = 10; DELETE FROM child WHERE id BETWEEN 100 AND 102);
foreach my $case (
	[ 'skip', 'child|3|0|497|0 parent|0|0|2000|0' ], [ 'overwrite', 'child|3|0|497|0 parent|0|4|1996|0' ],
	[ 'merge', 'child|3|0|497|0 parent|0|4|1996|0' ], [ 'mirror', 'child|3|0|497|5 parent|0|4|1996|10' ])
{
	my ($strategy, $expected) = @$case;
	$b->safe_psql('postgres', $change);
	$before = $b->safe_psql('postgres', $state);
	my $sequence = $b->safe_psql('postgres', q(SELECT last_value, is_called FROM child_id_seq));
	is(transfer_all("dry_run => true, strategy => '$strategy'"), $expected, "dry run of $strategy");
	is($b->safe_psql('postgres', $state), $before, 'writes nothing');
	is($b->safe_psql('postgres', q(SELECT last_value, is_called FROM child_id_seq)), $sequence, 'advances nothing');
	is(transfer_all("strategy => '$strategy'"), $expected, "$strategy does the same");
	is(transfer_all(q(strategy => 'mirror')), $strategy eq 'mirror' ? 'child|0|0|500|0 parent|0|0|2000|0' : 'child|0|0|500|5 parent|0|' . ($strategy eq 'skip' ? 4 : 0) . '|' . ($strategy eq 'skip' ? 1996 : 2000) . '|10', 'what is left to be mirrored');
	same_tables("after $strategy", 'parent', 'child');
}

# It locks no more than a SELECT does, and fires nothing.
my $locks = run_script($b, $a, q(BEGIN READ ONLY; SELECT count(*) FROM sync_transfer_all(:c, strategy => 'mirror', dry_run => true);
	SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('parent'::regclass, 'child'::regclass); COMMIT;));
is($locks, "2\nAccessShareLock", 'a dry run in a read-only transaction');

# Tables that would be created.
$a->safe_psql('postgres', 'CREATE TABLE fresh (id int PRIMARY KEY); INSERT INTO fresh SELECT generate_series(1, 7)');
is(transfer_all(q('{fresh}', dry_run => true)), 'fresh|7|0|0|0', 'a dry run of a table that is missing');
is($b->safe_psql('postgres', q(SELECT to_regclass('fresh') IS NULL)), 't', 'does not create it');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{fresh}', dry_run => true, create_missing_tables => false);)), '42P01', undef, 'a table that may not be created');
is(run_script($b, $a, q(SELECT dry_run, verified IS NULL FROM sync_transfer(:c, 'fresh', dry_run => true);)), 't|t', 'the result says so');
$a->safe_psql('postgres', 'DROP TABLE fresh');

# ---- guards --------------------------------------------------------------------------------------

$b->safe_psql('postgres', $change);
$before = $b->safe_psql('postgres', $state);
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', max_deletes => 14);)), '55000', qr/would delete 15 rows.*max_deletes => 15/s, 'one delete too many');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', max_deletes => 14, dry_run => true);)), '55000', undef, 'also in a dry run');
is($b->safe_psql('postgres', $state), $before, 'changes nothing');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', max_deletes => -1);)), '22023', undef, 'a negative limit');
is(transfer_all(q(strategy => 'mirror', max_deletes => 15)), 'child|3|0|497|5 parent|0|4|1996|10', 'as many as allowed');

$b->safe_psql('postgres', q(INSERT INTO parent SELECT i, 'only here' FROM generate_series(3001, 5000) i));
is(transfer_all(q(strategy => 'mirror')), 'child|0|0|500|0 parent|0|0|2000|2000', 'half of a table may go');
$b->safe_psql('postgres', q(INSERT INTO parent SELECT i, 'only here' FROM generate_series(3001, 5001) i));
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror');)), '55000', qr/more than half.*max_deletes => 2001/s, 'more than half may not');
is($b->safe_psql('postgres', 'SELECT count(*) FROM parent'), '4001', 'and nothing has gone');
is(transfer_all(q(strategy => 'mirror', max_deletes => 2001)), 'child|0|0|500|0 parent|0|0|2000|2001', 'unless it is said');

$_->safe_psql('postgres', 'CREATE TABLE small (id int PRIMARY KEY)') foreach ($a, $b);
$a->safe_psql('postgres', 'INSERT INTO small VALUES (1)');
$b->safe_psql('postgres', 'INSERT INTO small SELECT generate_series(1, 999)');
is(transfer_all(q('{small}', strategy => 'mirror')), 'small|0|0|1|998', 'a small table may lose most of its rows');
$a->safe_psql('postgres', 'DELETE FROM small');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{small}', strategy => 'mirror');)), '55000', qr/The peer's table is empty/, 'but not all of them');
is(transfer_all(q('{small}', strategy => 'mirror', max_deletes => 1)), 'small|0|0|0|1', 'unless it is said');
is(transfer_all(q('{small}', strategy => 'mirror')), 'small|0|0|0|0', 'nothing on both sides');

# ---- what the peer cannot vouch for --------------------------------------------------------------

$a->safe_psql('postgres', q(CREATE ROLE partial; GRANT SELECT ON small, parent TO partial; GRANT EXECUTE ON FUNCTION sync_create_session TO partial;
	ALTER TABLE small ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON small USING (id < 3); INSERT INTO small SELECT generate_series(1, 5)));
$b->safe_psql('postgres', 'INSERT INTO small SELECT generate_series(1, 10)');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'small', strategy => 'mirror');), role => 'partial'), '0A000', qr/cannot show all of its rows/, 'row level security there');
is($b->safe_psql('postgres', 'SELECT count(*) FROM small'), '10', 'deletes nothing');
is(run_script($b, $a, q(SELECT deleted FROM sync_transfer(:c, 'small', strategy => 'mirror');)), '5', 'a role that sees everything may');
$b->safe_psql('postgres', q(CREATE ROLE clerk; GRANT ALL ON small TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk;
	ALTER TABLE small ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON small USING (id < 3)));
fails_with($b, "SET sync.allowed_peers = '*'; SET ROLE clerk;\n" . pull_script($a, q(SELECT sync_transfer(:c, 'small', strategy => 'mirror');)), '0A000', qr/hides local rows/, 'row level security here');
$_->safe_psql('postgres', 'DROP TABLE small') foreach ($a, $b);

# Without a key there is nothing to go by.
$_->safe_psql('postgres', 'CREATE TABLE keyless (v int)') foreach ($a, $b);
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'keyless', strategy => 'mirror');)), '42830', undef, 'a table without a key');
$_->safe_psql('postgres', 'DROP TABLE keyless') foreach ($a, $b);
fails_with($b, q(SELECT sync_import('parent', '[]', 'mirror')), '0A000', qr/do not tell which rows/, 'records are no table');

# A row that fails: the peer has it, so it must not be taken for one that is missing there.
$b->safe_psql('postgres', q(ALTER TABLE parent ADD CHECK (v <> 'v7') NOT VALID; INSERT INTO parent VALUES (9999, 'only here'); UPDATE parent SET v = 'x' WHERE id = 7));
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', max_errors => 5);)), '0A000', qr/have failed, so none may be deleted/, 'a row that fails');
is($b->safe_psql('postgres', 'SELECT count(*) FROM parent WHERE id = 9999'), '1', 'keeps all rows');
is(run_script($b, $a, q(SELECT error_count, deleted FROM sync_transfer(:c, 'parent', strategy => 'overwrite', max_errors => 5);)), '1|0', 'overwrite goes on');
$b->safe_psql('postgres', 'ALTER TABLE parent DROP CONSTRAINT parent_v_check');

# Deletes obey the foreign keys and triggers of others.
$b->safe_psql('postgres', 'CREATE TABLE other (parent int REFERENCES parent); INSERT INTO other VALUES (9999)');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror');)), '23503', qr/other/, 'a row that another table refers to');
$b->safe_psql('postgres', q(DROP TABLE other; CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER keep BEFORE DELETE ON parent FOR EACH ROW EXECUTE FUNCTION keep()));
is(transfer_all(q(strategy => 'mirror')), 'child|0|0|500|0 parent|0|1|1999|0', 'a trigger that keeps a row');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', verify => true);)), '22000', qr/It has 2001 rows, the peer's 2000/, 'is found by verify');
$b->safe_psql('postgres', 'DROP TRIGGER keep ON parent');

# ---- verify --------------------------------------------------------------------------------------

is(run_script($b, $a, q(SELECT string_agg(verified::text, ' ') FROM sync_transfer_all(:c, strategy => 'mirror', verify => true);)), 'true true', 'verified');
$b->safe_psql('postgres', q(CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $$;
	CREATE TRIGGER spoil BEFORE UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION spoil();
	ALTER TABLE parent DISABLE TRIGGER spoil; UPDATE parent SET v = 'x' WHERE id IN (5, 7, 11, 13, 17, 19); ALTER TABLE parent ENABLE TRIGGER spoil));
$before = $b->safe_psql('postgres', $state);
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'parent', strategy => 'overwrite', verify => true);)), '22000',
	qr/6 of 2000 rows are missing or differ, first \{"id": 5\}, \{"id": 7\}, \{"id": 11\}, \{"id": 13\}, \{"id": 17\}\./, 'a trigger that changes what is written');
is($b->safe_psql('postgres', $state), $before, 'leaves nothing behind');
fails_with($b, pull_script($a, qq(SELECT sync_transfer(:c, 'parent', strategy => '$_', verify => true);)), '22023', qr/cannot be verified/, "verify with $_") foreach ('skip', 'merge', 'append');
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'parent', strategy => 'overwrite', verify => true, dry_run => true);)), '22023', undef, 'a dry run has nothing to verify');
$b->safe_psql('postgres', 'DROP TRIGGER spoil ON parent');

# A unique value that belonged to a row that goes, and its new owner's children.
$_->safe_psql('postgres', q(CREATE TABLE account (id int PRIMARY KEY, email text UNIQUE); CREATE TABLE message (id int PRIMARY KEY, account int REFERENCES account))) foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO account VALUES (1, 'x'), (3, 'z'), (5, 'y'); INSERT INTO message VALUES (1, 3), (2, 5), (3, 1)));
$b->safe_psql('postgres', q(INSERT INTO account VALUES (1, 'y'), (2, 'x'), (4, 'z'); INSERT INTO message VALUES (7, 2), (8, 4)));
is(transfer_all(q('{account,message}', strategy => 'mirror', verify => true)), 'account|2|1|0|2 message|3|0|0|2', 'unique values of rows that go');
same_tables('accounts', 'account', 'message');
$b->safe_psql('postgres', q(INSERT INTO account VALUES (2, 'w'); INSERT INTO message VALUES (9, 2); UPDATE message SET account = 2 WHERE id = 1));
$a->safe_psql('postgres', q(INSERT INTO account VALUES (6, 'w')));
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{account,message}', strategy => 'mirror');)), '23505', qr/account_email_key/, 'unless a row that stays still refers to what goes');
is($b->safe_psql('postgres', 'SELECT count(*) FROM account'), '4', 'then nothing changes');
$_->safe_psql('postgres', 'DROP TABLE account, message') foreach ($a, $b);

# Keys that are equal but not the same: matched, and then made the same.
$_->safe_psql('postgres', 'CREATE TABLE amount (n numeric PRIMARY KEY, v text)') foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO amount VALUES (1.00, 'a'), (2, 'b')));
$b->safe_psql('postgres', q(INSERT INTO amount VALUES (1.0, 'a'), (2, 'b'), (3, 'c')));
is(transfer_all(q('{amount}', strategy => 'mirror', verify => true)), 'amount|0|1|1|1', 'numeric keys');
same_tables('numeric keys', 'amount');

# ---- keys that do not fit into memory, partitions, several columns --------------------------------

my $wide = q(CREATE TABLE wide (a text, b int, v int, PRIMARY KEY (b, a)) PARTITION BY RANGE (b);
	CREATE TABLE wide_1 PARTITION OF wide FOR VALUES FROM (MINVALUE) TO (50); CREATE TABLE wide_2 PARTITION OF wide FOR VALUES FROM (50) TO (MAXVALUE));
$_->safe_psql('postgres', $wide) foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO wide SELECT repeat('key', 60) || i, i % 100, i FROM generate_series(1, 60000) i));
$b->safe_psql('postgres', q(INSERT INTO wide SELECT repeat('key', 60) || i, i % 100, i FROM generate_series(1, 90000) i));
is(transfer_all(q('{wide}', strategy => 'mirror', verify => true)), 'wide|0|0|60000|30000', 'many long keys');
same_tables('many long keys', 'wide');

no_leftovers($a, 'in the end');
done_testing();
