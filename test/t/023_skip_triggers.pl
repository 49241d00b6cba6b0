# triggers => 'skip': which triggers fire, what is locked, and that no violation of a foreign key gets through.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');

sub on_b { return $b->safe_psql('postgres', $_[0]); }

sub transfer_all
{
	my ($options) = @_;
	return run_script($b, $a, "SELECT string_agg(concat_ws('|', table_name, created, updated, deleted), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, $options);");
}

sub refused
{
	my ($options, $sqlstate, $text, $name) = @_;
	return fails_with($b, pull_script($a, "SELECT sync_transfer_all(:c, $options);"), $sqlstate, $text, $name);
}

# The states of all triggers, which must be as before, whatever happens.
my $states = q(SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgenabled, md5(tgname)), E'\n' ORDER BY tgrelid::regclass::text, tgname) FROM pg_trigger);

# ---- which triggers fire -------------------------------------------------------------------------

$a->safe_psql('postgres', q(CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i));
on_b(q(CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE fired (name text, op text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_NAME, TG_OP); RETURN coalesce(NEW, OLD); END $$;
	CREATE TRIGGER origin_row BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER origin_statement AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
	CREATE TRIGGER always_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER replica_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER disabled_row AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note();
	CREATE CONSTRAINT TRIGGER constraint_row AFTER INSERT OR UPDATE OR DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
	ALTER TABLE t ENABLE ALWAYS TRIGGER always_row; ALTER TABLE t ENABLE REPLICA TRIGGER replica_row; ALTER TABLE t DISABLE TRIGGER disabled_row));
my $before = on_b($states);
my $fired = q(SELECT string_agg(DISTINCT name || ' ' || op, ', ' ORDER BY name || ' ' || op) FROM fired);
is(transfer_all(q(strategy => 'mirror', triggers => 'skip')), 't|10|0|0', 'inserts');
is(on_b($fired), 'always_row INSERT', 'fire ALWAYS triggers only');
is(on_b($states), $before, 'and all triggers are as before');
on_b(q(SET session_replication_role = replica; ALTER TABLE t DISABLE TRIGGER ALL; UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (11)));
on_b(q(ALTER TABLE t ENABLE TRIGGER ALL; ALTER TABLE t ENABLE ALWAYS TRIGGER always_row; ALTER TABLE t ENABLE REPLICA TRIGGER replica_row; ALTER TABLE t DISABLE TRIGGER disabled_row; TRUNCATE fired));
is(transfer_all(q(strategy => 'mirror', triggers => 'skip')), 't|1|1|1', 'inserts, updates, deletes');
is(on_b($fired), 'always_row DELETE, always_row INSERT, always_row UPDATE', 'fire ALWAYS triggers only');
is(on_b($states), $before, 'and all triggers are as before');
on_b(q(TRUNCATE fired; DELETE FROM t; TRUNCATE fired));
is(transfer_all(q(strategy => 'mirror')), 't|10|0|0', 'fire is the default');
is(on_b($fired), 'always_row INSERT, constraint_row INSERT, origin_row INSERT, origin_statement INSERT, origin_statement UPDATE', 'and fires what an application fires');

# After an error, in a subtransaction too.
on_b('DELETE FROM t');
refused(q(strategy => 'overwrite', triggers => 'skip', max_deletes => 'x'), '22P02', undef, 'an error');
on_b(q(ALTER TABLE t ADD CHECK (id <> 7)));
is( run_script($b, $a, q(DO $$ BEGIN PERFORM sync_transfer((SELECT max(client) FROM sync_clients()), 't', triggers => 'skip'); EXCEPTION WHEN check_violation THEN INSERT INTO t VALUES (1); END $$;
		SELECT count(*) FROM t;)), '1', 'an error that is caught');
is(on_b($states), $before, 'all triggers are as before');
is(on_b(q(SELECT count(*) FROM fired WHERE name = 'origin_row' AND op = 'INSERT')) > 0 ? 1 : 0, 1, 'and fire');
is(run_script($b, $a, q(SELECT created, error_count FROM sync_transfer(:c, 't', triggers => 'skip', max_errors => 1);)), '8|1', 'row errors are listed as ever');
on_b('ALTER TABLE t DROP CONSTRAINT t_id_check; DROP TABLE t, fired; DROP FUNCTION note()');
$a->safe_psql('postgres', 'DROP TABLE t');

# ---- foreign keys --------------------------------------------------------------------------------

my $family = q(CREATE TABLE grandparent (id int PRIMARY KEY);
	CREATE TABLE parent (id int, region int, g int REFERENCES grandparent, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
	CREATE TABLE parent_1 PARTITION OF parent FOR VALUES IN (1); CREATE TABLE parent_2 PARTITION OF parent FOR VALUES IN (2);
	CREATE TABLE child (id int PRIMARY KEY, pid int, pregion int, boss int REFERENCES child, CONSTRAINT of_parent FOREIGN KEY (pregion, pid) REFERENCES parent (region, id)););
$_->safe_psql('postgres', $family) foreach ($a, $b);
my $rows = q(INSERT INTO grandparent SELECT generate_series(1, 10);
	INSERT INTO parent SELECT i, 1 + i % 2, 1 + i % 10 FROM generate_series(1, 100) i;
	INSERT INTO child SELECT i, 1 + i % 100, 1 + (1 + i % 100) % 2, CASE WHEN i < 6000 THEN i + 1 END FROM generate_series(1, 6000) i ORDER BY i);
$a->safe_psql('postgres', $rows);
is(transfer_all(q(triggers => 'skip', batch_size => 1000)), 'child|6000|0|0 grandparent|10|0|0 parent|100|0|0', 'a family with a chain of bosses, the last one first');
$before = on_b($states);
is(transfer_all(q(triggers => 'skip', strategy => 'mirror', verify => true)), 'child|0|0|0 grandparent|0|0|0 parent|0|0|0', 'and again');

# Rows written that refer to nothing.
on_b('DELETE FROM child; DELETE FROM parent WHERE id = 50');
refused(q('{child}', triggers => 'skip'), '23503', qr/violate foreign key constraint "of_parent"\nDETAIL:  Key \(pregion, pid\)=\(1, 50\) is not present in table "public.parent"/, 'a row without its parent');
is(on_b('SELECT count(*) FROM child'), '0', 'does not arrive');
refused(q('{child}', triggers => 'skip', mode => 'online'), '23503', qr/of_parent/, 'not by sets either');
is(on_b($states), $before, 'all triggers are as before');
$a->safe_psql('postgres', q(SET session_replication_role = replica; UPDATE child SET boss = 99999 WHERE id = 3));
is(transfer_all(q('{parent}', triggers => 'skip')), 'parent|1|0|0', 'the parent comes');
refused(q('{child}', triggers => 'skip'), '23503', qr/child_boss_fkey"\nDETAIL:  Key \(boss\)=\(99999\)/, 'a row without its boss');
$a->safe_psql('postgres', q(UPDATE child SET boss = 4 WHERE id = 3));
is(transfer_all(q('{child}', triggers => 'skip')), 'child|6000|0|0', 'whole families pass');

# Rows deleted or changed that are referred to.
on_b('INSERT INTO grandparent VALUES (11); INSERT INTO parent VALUES (200, 1, 11)');
refused(q('{grandparent}', triggers => 'skip', strategy => 'mirror'), '23503', qr/referenced by foreign key constraint "parent_g_fkey"\nDETAIL:  Key \(g\)=\(11\) is still referenced from table "public.parent"/, 'a grandparent with a parent');
is(on_b('SELECT count(*) FROM grandparent'), '11', 'stays');
is(transfer_all(q('{grandparent,parent}', triggers => 'skip', strategy => 'mirror')), 'grandparent|0|0|1 parent|0|0|1', 'together they may go');
foreach my $action ('ON DELETE CASCADE', 'ON DELETE SET NULL', 'ON UPDATE CASCADE')
{
	on_b("CREATE TABLE follower (g int REFERENCES grandparent $action); INSERT INTO grandparent VALUES (11); INSERT INTO follower VALUES (1)");
	is(transfer_all(q('{grandparent}', triggers => 'skip', strategy => 'mirror')), 'grandparent|0|0|1', "$action without rows to act on");
	on_b('INSERT INTO grandparent VALUES (11); INSERT INTO follower VALUES (11)');
	refused(q('{grandparent}', triggers => 'skip', strategy => 'mirror'), '0A000', qr/would have to change rows.*triggers => 'fire'/s, $action);
	is(transfer_all(q('{grandparent}', triggers => 'fire', strategy => 'mirror')), 'grandparent|0|0|1', "$action fires") if $action =~ /DELETE/;
	on_b('DROP TABLE follower; DELETE FROM grandparent WHERE id = 11');
}

# A key that is not the primary one changes under those who refer to it.
$_->safe_psql('postgres', 'CREATE TABLE coded (id int PRIMARY KEY, code text UNIQUE)') foreach ($a, $b);
$a->safe_psql('postgres', q(INSERT INTO coded VALUES (1, 'new')));
on_b(q(INSERT INTO coded VALUES (1, 'old'); CREATE TABLE user_of_code (code text REFERENCES coded (code)); INSERT INTO user_of_code VALUES ('old')));
refused(q('{coded}', triggers => 'skip', strategy => 'overwrite'), '23503', qr/Key \(code\)=\(old\) is still referenced/, 'a key that changes');
on_b('DROP TABLE user_of_code');

# NOT VALID: old violations are not ours, new ones are. MATCH FULL.
on_b(q(CREATE TABLE loose (code text); INSERT INTO loose VALUES ('gone'); ALTER TABLE loose ADD CONSTRAINT loose_code FOREIGN KEY (code) REFERENCES coded (code) NOT VALID));
is(transfer_all(q('{coded}', triggers => 'skip', strategy => 'overwrite')), 'coded|0|1|0', 'an old violation of a key that is NOT VALID');
on_b(q(INSERT INTO loose VALUES ('new'))); $a->safe_psql('postgres', q(UPDATE coded SET code = 'newer'));
refused(q('{coded}', triggers => 'skip', strategy => 'overwrite'), '23503', qr/Key \(code\)=\(new\) is still referenced/, 'a new one');
on_b(q(DROP TABLE loose)); $a->safe_psql('postgres', q(CREATE TABLE loose (id int PRIMARY KEY, code text); INSERT INTO loose VALUES (1, 'gone'), (2, 'newer')));
on_b(q(CREATE TABLE loose (id int PRIMARY KEY, code text); INSERT INTO loose VALUES (0, 'gone'); ALTER TABLE loose ADD CONSTRAINT loose_code FOREIGN KEY (code) REFERENCES coded (code) NOT VALID));
refused(q('{loose}', triggers => 'skip'), '23503', qr/Key \(code\)=\(gone\) is not present/, 'a row that is written to such a table');
$a->safe_psql('postgres', q(DELETE FROM loose WHERE id = 1; UPDATE loose SET code = 'new'));
is(transfer_all(q('{loose}', triggers => 'skip')), 'loose|1|0|0', 'beside rows that were wrong before');

$_->safe_psql('postgres', q(CREATE TABLE two (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE full_match (id int PRIMARY KEY, a int, b int); INSERT INTO two VALUES (1, 1))) foreach ($a, $b);
on_b('ALTER TABLE full_match ADD FOREIGN KEY (a, b) REFERENCES two MATCH FULL');
$a->safe_psql('postgres', 'INSERT INTO full_match VALUES (1, NULL, NULL), (2, 1, 1)');
is(transfer_all(q('{full_match}', triggers => 'skip')), 'full_match|2|0|0', 'MATCH FULL: all or nothing');
$a->safe_psql('postgres', 'INSERT INTO full_match VALUES (3, 1, NULL)');
refused(q('{full_match}', triggers => 'skip'), '23503', undef, 'MATCH FULL: a half');

# Types and collations that differ between the two ends of a key.
$_->safe_psql('postgres', q(CREATE TABLE wide (id bigint PRIMARY KEY); CREATE TABLE narrow (id int PRIMARY KEY, w int); CREATE TYPE mood AS ENUM ('ok', 'bad');
	CREATE TABLE moods (m mood PRIMARY KEY); CREATE TABLE moody (id int PRIMARY KEY, m mood); CREATE TABLE c_text (t text COLLATE "C" PRIMARY KEY); CREATE TABLE d_text (id int PRIMARY KEY, t text))) foreach ($a, $b);
on_b('ALTER TABLE narrow ADD FOREIGN KEY (w) REFERENCES wide; ALTER TABLE moody ADD FOREIGN KEY (m) REFERENCES moods; ALTER TABLE d_text ADD FOREIGN KEY (t) REFERENCES c_text');
$a->safe_psql('postgres', q(INSERT INTO wide VALUES (1); INSERT INTO narrow VALUES (1, 1); INSERT INTO moods VALUES ('ok'); INSERT INTO moody VALUES (1, 'ok'); INSERT INTO c_text VALUES ('a'); INSERT INTO d_text VALUES (1, 'a')));
is(transfer_all(q('{wide,narrow,moods,moody,c_text,d_text}', triggers => 'skip')), 'c_text|1|0|0 d_text|1|0|0 moods|1|0|0 moody|1|0|0 narrow|1|0|0 wide|1|0|0', 'keys of other types, enums, collations');
$a->safe_psql('postgres', q(INSERT INTO narrow VALUES (2, 2); INSERT INTO moody VALUES (2, 'bad'); INSERT INTO d_text VALUES (2, 'b')));
refused("'{$_}', triggers => 'skip'", '23503', undef, "violated: $_") foreach ('narrow', 'moody', 'd_text');

# ---- rights --------------------------------------------------------------------------------------

on_b(q(CREATE ROLE owner; CREATE ROLE clerk; GRANT ALL ON child TO clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk, owner; ALTER TABLE grandparent OWNER TO owner; GRANT CREATE ON SCHEMA public TO owner));
my $as = sub { my ($role, $sql) = @_; return "SET sync.allowed_peers = '*'; SET ROLE $role;\n" . pull_script($a, $sql) };
fails_with($b, $as->('clerk', q(SELECT sync_transfer(:c, 'child', triggers => 'skip');)), '42501', qr/must be owner of table child/, 'not the owner');
on_b('INSERT INTO grandparent VALUES (12); INSERT INTO parent VALUES (300, 2, 12)');
my $err = fails_with($b, $as->('owner', q(SELECT sync_transfer(:c, 'grandparent', strategy => 'mirror', triggers => 'skip');)), '23503', qr/parent_g_fkey/, 'rows of others that refer to ours');
unlike($err, qr/Key|300|\(12\)/, 'are not shown');
on_b('DELETE FROM parent WHERE id = 300');
is($b->safe_psql('postgres', $as->('owner', q(SELECT deleted FROM sync_transfer(:c, 'grandparent', strategy => 'mirror', triggers => 'skip');))), '1', 'the owner may, with no right on the tables of others');
on_b(q(CREATE RULE no_insert AS ON INSERT TO coded DO ALSO NOTHING));
refused(q('{coded}', triggers => 'skip'), '0A000', qr/It has the rule "no_insert"/, 'a table with rules');
on_b('DROP RULE no_insert ON coded');

# ---- locks: the delete of a parent by another session, in both orders -----------------------------

my $locked = run_script($b, $a, q(BEGIN; SELECT created FROM sync_transfer(:c, 'parent', triggers => 'skip');
	SELECT string_agg(relation::regclass::text, ' ' ORDER BY relation) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareRowExclusiveLock' AND locktype = 'relation'; COMMIT;));
is($locked, "0\ngrandparent parent parent_1 parent_2 child", 'what is locked, by name');

on_b('DELETE FROM child');
my $deleter = background($b, "BEGIN; DELETE FROM parent WHERE id = 60; SELECT pg_sleep(3); COMMIT");
wait_for(sub { on_b(q(SELECT count(*) FROM pg_locks WHERE relation = 'parent'::regclass AND mode = 'RowExclusiveLock')) ne '0' }, 'the parent is being deleted');
refused(q('{child}', triggers => 'skip'), '23503', qr/Key \(pregion, pid\)=\(1, 60\) is not present/, 'a parent that is deleted just before is waited for and missed');
finished($deleter);
on_b('INSERT INTO parent VALUES (60, 1, 1)');
my $puller = background($b, pull_script($a, q(BEGIN; SELECT created FROM sync_transfer(:c, 'child', triggers => 'skip'); SELECT pg_sleep(3); COMMIT;)));
wait_for(sub { on_b(q(SELECT count(*) FROM pg_locks WHERE relation = 'parent'::regclass AND mode = 'ShareRowExclusiveLock' AND granted)) ne '0' }, 'the parent is locked');
fails_with($b, 'DELETE FROM parent WHERE id = 60', '23503', undef, 'a parent that is deleted just after');
finished($puller);
is($puller->{err}, '', 'the transfer went through');
is(on_b('SELECT count(*) FROM child'), '6000', 'with all its rows');

# An older snapshot does not hide what others have committed.
on_b('DELETE FROM child');
my $old = pull_script($a, q(BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM parent; \! psql -Xq -d "$OTHER" -c "DELETE FROM parent WHERE id = 60"
	SELECT created FROM sync_transfer(:c, 'child', triggers => 'skip'); COMMIT;));
{
	local $ENV{OTHER} = $b->connstr('postgres');
	fails_with($b, $old, '23503', qr/of_parent/, 'a parent that was deleted behind the back of an older snapshot');
}

no_leftovers($a, 'in the end');
done_testing();
