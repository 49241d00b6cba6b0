# What meets what: partitions named by themselves, code of other owners, errors that are caught, repeated calls.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');

sub on_a { return $a->safe_psql('postgres', $_[0]); }
sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub transfer { return run_script($b, $a, "SELECT concat_ws('|', created, updated, skipped, deleted, error_count) FROM sync_transfer(:c, $_[0]);"); }
sub refused { return fails_with($b, pull_script($a, "SELECT sync_transfer(:c, $_[0]);"), @_[1 .. $#_]); }

my $states = q(SELECT string_agg(concat_ws(' ', tgrelid::regclass, CASE WHEN tgisinternal THEN md5(tgname) ELSE tgname END, tgenabled), ', ' ORDER BY tgrelid::regclass::text, tgname) FROM pg_trigger);

# ---- triggers of partitions that are not in the state of their parent's ----------------------------

my $parts = q(CREATE TABLE part (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000); CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (1000) TO (2000) PARTITION BY RANGE (id);
	CREATE TABLE part_2a PARTITION OF part_2 FOR VALUES FROM (1000) TO (1500); CREATE TABLE part_2b PARTITION OF part_2 FOR VALUES FROM (1500) TO (2000););
$_->safe_psql('postgres', $parts) foreach ($a, $b);
on_a(q(INSERT INTO part SELECT i, 'v' FROM generate_series(1, 1900) i));
on_b(q(CREATE TABLE fired (name text, relation text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_NAME, TG_RELID::regclass); RETURN NULL; END $$;
	CREATE TRIGGER "the ""one""" AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION note();
	CREATE TRIGGER other AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION note();
	ALTER TABLE part_1 ENABLE ALWAYS TRIGGER "the ""one"""; ALTER TABLE part_1 DISABLE TRIGGER other;
	ALTER TABLE part_2a DISABLE TRIGGER "the ""one"""; ALTER TABLE part_2b ENABLE REPLICA TRIGGER "the ""one"""; ALTER TABLE ONLY part_2 ENABLE ALWAYS TRIGGER other));
my $before = on_b($states);
is(transfer(q('part', triggers => 'skip')), '1900|0|0|0|0', 'a partitioned table without its triggers');
is(on_b($states), $before, 'each trigger is as before, on each partition');
is(on_b(q(SELECT string_agg(DISTINCT name || ' ' || relation, ', ') FROM fired)), 'the "one" part_1', 'what is ALWAYS on one partition has fired there');
on_b(q(DROP TABLE part, fired; DROP FUNCTION note()));
on_a('DROP TABLE part');

# ---- a partition by itself: its keys are those of its parent ---------------------------------------

on_a(q(CREATE TABLE town (id int, z int, PRIMARY KEY (id, z)); CREATE TABLE house (id int PRIMARY KEY, town int, z int); INSERT INTO town SELECT i, 1 FROM generate_series(1, 10) i;
	INSERT INTO house SELECT i, 1 + i % 10, 1 FROM generate_series(1, 6000) i));
on_b(q(CREATE TABLE towns (id int, z int, PRIMARY KEY (id, z)) PARTITION BY LIST (z); CREATE TABLE towns_1 PARTITION OF towns FOR VALUES IN (1);
	CREATE TABLE plain_town (id int, z int, PRIMARY KEY (id, z));
	CREATE TABLE houses (id int, town int, z int, FOREIGN KEY (town, z) REFERENCES towns, CONSTRAINT of_plain FOREIGN KEY (town, z) REFERENCES plain_town) PARTITION BY RANGE (id);
	CREATE TABLE houses_1 PARTITION OF houses FOR VALUES FROM (0) TO (10000); ALTER TABLE houses_1 ADD PRIMARY KEY (id);
	INSERT INTO towns SELECT i, 1 FROM generate_series(1, 10) i; INSERT INTO plain_town SELECT i, 1 FROM generate_series(1, 9) i));
refused(q('house', 'houses_1'), '23503', qr/of_plain/, 'a partition');
refused(q('house', 'houses_1', mode => 'online'), '23503', qr/of_plain/, 'a partition, by sets');
refused(q('house', 'houses_1', triggers => 'skip'), '23503', qr/of_plain/, 'a partition, without triggers');
refused(q('house', 'houses_1', triggers => 'skip', mode => 'online'), '23503', qr/of_plain/, 'a partition, without triggers, by sets');
on_b(q(CREATE TABLE sheds (id int, town int, z int, CONSTRAINT shed_of_plain FOREIGN KEY (town, z) REFERENCES plain_town) PARTITION BY RANGE (id); CREATE TABLE sheds_1 PARTITION OF sheds FOR VALUES FROM (0) TO (10000); ALTER TABLE sheds_1 ADD PRIMARY KEY (id)));
refused(q('house', 'sheds_1'), '23503', qr/shed_of_plain/, 'a partition, in bulk');
on_b(q(DROP TABLE sheds; INSERT INTO plain_town VALUES (10, 1); DELETE FROM towns WHERE id = 5));
refused("'house', 'houses_1', triggers => '$_'", '23503', qr/houses_town_z_fkey/, "a partition that refers to a partitioned table: $_") foreach ('fire', 'skip');
on_b(q(INSERT INTO towns VALUES (5, 1)));
is(transfer(q('house', 'houses_1', triggers => 'skip')), '6000|0|0|0|0', 'a partition that is whole');
on_a('DELETE FROM town WHERE id = 5');
refused(q('town', 'towns_1', strategy => 'mirror', triggers => 'skip'), '23503', qr/houses_town_z_fkey.*still referenced/s, 'a partition that is referred to');
is(on_b('SELECT count(*) FROM towns'), '10', 'keeps its rows');
on_b('DROP TABLE houses, towns, plain_town'); on_a('DROP TABLE house, town');

# ---- code of a table's owner runs as nobody else ----------------------------------------------------

on_a(q(CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 10)));
on_b(q(CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory; CREATE TABLE ran_as (who text); GRANT ALL ON ran_as TO PUBLIC; CREATE TABLE item (id int PRIMARY KEY); GRANT REFERENCES ON item TO mallory;
	SET ROLE mallory; CREATE TABLE trap (id int REFERENCES item); CREATE TABLE loose_trap (id int REFERENCES item); ALTER TABLE loose_trap ENABLE ROW LEVEL SECURITY; ALTER TABLE loose_trap FORCE ROW LEVEL SECURITY;
	CREATE FUNCTION really(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO ran_as VALUES (current_user); RETURN i; END $$;
	CREATE FUNCTION harmless(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN public.really(i); END $$;
	CREATE INDEX ON trap ((id + harmless(1))); CREATE INDEX ON loose_trap ((id + harmless(1)))));
is(on_b('SELECT count(*) > 0 FROM ran_as'), 't', 'the planner runs functions of indexes');
on_b('TRUNCATE ran_as');
is(transfer(q('item', triggers => 'skip')), '10|0|0|0|0', 'a table that another role refers to');
is(on_b(q(SELECT string_agg(DISTINCT who, ' ') FROM ran_as)), 'mallory', 'whose code runs as that role');
on_b(q(INSERT INTO item VALUES (11), (12); INSERT INTO trap VALUES (11)));
refused(q('item', strategy => 'mirror', triggers => 'skip'), '23503', qr/"trap_id_fkey"/, 'its rows are seen');
on_b(q(DELETE FROM trap; INSERT INTO loose_trap VALUES (12)));
refused(q('item', strategy => 'mirror', triggers => 'skip'), '23503', qr/"loose_trap_id_fkey"/, 'also where its own policies hide them');
# NOT VALID, so that what was wrong before has to be noted first.
on_b(q(DELETE FROM loose_trap; INSERT INTO trap SELECT NULL; ALTER TABLE trap DROP CONSTRAINT trap_id_fkey; INSERT INTO trap VALUES (99), (11); ALTER TABLE trap ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES item NOT VALID; TRUNCATE ran_as));
refused(q('item', strategy => 'mirror', triggers => 'skip'), '23503', qr/"late"/, 'a key that is NOT VALID');
on_b('DELETE FROM trap WHERE id = 11; TRUNCATE ran_as');
is(transfer(q('item', strategy => 'mirror', triggers => 'skip')), '0|0|10|2|0', 'what was wrong before may be');
is(on_b(q(SELECT coalesce(string_agg(DISTINCT who, ' '), 'mallory') FROM ran_as)), 'mallory', 'as that role alone');
on_b('DROP TABLE trap, loose_trap, item'); on_a('DROP TABLE item');

# ---- errors that are caught, calls within calls, repeated calls --------------------------------------

on_a(q(CREATE TABLE node (id int PRIMARY KEY, up int, v text); INSERT INTO node SELECT i, CASE WHEN i < 3000 THEN i + 1 END, 'v' || i FROM generate_series(1, 3000) i));
on_b(q(CREATE TABLE node (id serial PRIMARY KEY, up int REFERENCES node, v text CHECK (v <> 'v1'))));
my $keys = q(SELECT string_agg(concat_ws(' ', conname, condeferrable, condeferred), ', ') FROM pg_constraint WHERE contype = 'f');
my $constraints = on_b($keys);
$before = on_b($states);
my $caught = q(DO $$ DECLARE c int := (SELECT max(client) FROM sync_clients()); r record; BEGIN
	FOR i IN 1..3 LOOP
		FOR r IN SELECT * FROM (VALUES ('fire', 'auto', 'overwrite'), ('fire', 'online', 'overwrite'), ('skip', 'auto', 'mirror'), ('fire', 'auto', 'append')) AS o(triggers, mode, strategy) LOOP
			BEGIN
				PERFORM sync_transfer(c, 'node', strategy => r.strategy, triggers => r.triggers, mode => r.mode, batch_size => 100);
				RAISE 'came through';
			EXCEPTION WHEN check_violation THEN NULL; END;
		END LOOP;
	END LOOP; END $$;);
is(run_script($b, $a, "$caught SELECT count(*) FROM node;"), '0', 'errors are caught, again and again');
is(on_b($keys), $constraints, 'constraints are as before');
is(on_b($states), $before, 'triggers are as before');
is(run_script($b, $a, q(BEGIN; SAVEPOINT s; SELECT created, error_count FROM sync_transfer(:c, 'node', max_errors => 5, strategy => 'append', batch_size => 100); ROLLBACK TO s; SELECT count(*) FROM node; COMMIT;)),
	"2999|1\n0", 'rolled back to a savepoint');
on_b('ALTER TABLE node DROP CONSTRAINT node_v_check');
is(run_script($b, $a, q(BEGIN; SELECT created FROM sync_transfer(:c, 'node', strategy => 'mirror', triggers => 'skip'); UPDATE node SET v = 'x' WHERE id < 4; INSERT INTO node VALUES (5000, 1);
	SELECT updated, deleted FROM sync_transfer(:c, 'node', strategy => 'mirror'); DELETE FROM node WHERE id < 10 AND up IS NULL; SELECT updated, deleted FROM sync_transfer(:c, 'node', strategy => 'mirror', triggers => 'skip'); COMMIT;)),
	"3000\n3|1\n0|0", 'several times in a transaction, which writes in between');
is(on_b($keys), $constraints, 'constraints are as before');

# Memory: what the first calls leave is what any number of calls leaves.
my $memory = q(SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts WHERE name NOT LIKE 'CacheMemory%' AND coalesce(parent, '') NOT LIKE 'CacheMemory%');
my $calls = q(SELECT count(sync_transfer(:c, 'node', strategy => s, triggers => t, mode => m, batch_size => 500)) FROM generate_series(1, %d) i, (VALUES ('overwrite', 'fire', 'auto'), ('mirror', 'skip', 'auto'), ('skip', 'fire', 'online')) AS o(s, t, m) \g /dev/null
);
like(run_script($b, $a, sprintf($calls, 5) . "$memory \\gset first_\n" . sprintf($calls, 30) . "$memory \\gset last_\nSELECT :last_bytes - :first_bytes;"), qr/^-?\d{1,5}$/, 'memory does not grow with the number of calls');

# From a trigger, and with a cursor open on the table.
on_b(q(CREATE TABLE button (c int); CREATE FUNCTION press() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM sync_transfer(NEW.c, 'node', strategy => 'mirror', triggers => 'skip', max_deletes => 5000); RETURN NEW; END $$;
	CREATE TRIGGER press BEFORE INSERT ON button FOR EACH ROW EXECUTE FUNCTION press(); UPDATE node SET v = 'x' WHERE id <= 10));
is(run_script($b, $a, q(BEGIN; DECLARE k CURSOR FOR SELECT v FROM node WHERE id <= 10 ORDER BY id; FETCH 1 FROM k; INSERT INTO button VALUES (:c); FETCH 1 FROM k; COMMIT; SELECT count(*) FROM node WHERE v = 'x';)), "x\nx\n0", 'from a trigger, under a cursor');
on_b('DROP TABLE button; DROP FUNCTION press()');

# ---- dry runs lock and write nothing ------------------------------------------------------------------

on_b(q(INSERT INTO node SELECT i, 1, 'here' FROM generate_series(4000, 4009) i));
my $dry = run_script($b, $a, q(BEGIN READ ONLY; SELECT created, updated, deleted FROM sync_transfer(:c, 'node', strategy => 'mirror', triggers => 'skip', dry_run => true);
	SELECT created FROM sync_transfer(:c, 'node', strategy => 'append', dry_run => true); SELECT count(*) FILTER (WHERE mode <> 'AccessShareLock'), count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'; COMMIT;));
is($dry, "0|0|10\n3000\n0|t", 'a dry run in a read-only transaction: no lock beyond ACCESS SHARE');
on_b('DROP TABLE node'); on_a('DROP TABLE node');

# ---- a foreign key that comes while the lock is waited for ---------------------------------------------

$_->safe_psql('postgres', 'CREATE TABLE root (id int PRIMARY KEY)') foreach ($a, $b);
my $adder = background($b, 'BEGIN; CREATE TABLE leaf (id int REFERENCES root); SELECT pg_sleep(2); COMMIT');
wait_for(sub { on_b(q(SELECT count(*) FROM pg_locks WHERE relation = 'root'::regclass AND mode = 'ShareRowExclusiveLock')) ne '0' }, 'the key is being added');
is( run_script($b, $a, q(BEGIN; SELECT created FROM sync_transfer(:c, 'root', triggers => 'skip');
		SELECT string_agg(relation::regclass::text, ' ' ORDER BY relation) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ShareRowExclusiveLock' AND locktype = 'relation'; COMMIT;)),
	"0\nroot leaf", 'the table that refers by it is locked too');
finished($adder);
on_b('DROP TABLE leaf, root'); on_a('DROP TABLE root');

# ---- a delete that makes room must not cascade to rows that stay ----------------------------------------

on_a(q(CREATE TABLE boss (id int PRIMARY KEY, code text UNIQUE); CREATE TABLE clerk (id int PRIMARY KEY, boss int); INSERT INTO boss VALUES (2, 'a'); INSERT INTO clerk VALUES (1, 2)));
on_b(q(CREATE TABLE boss (id int PRIMARY KEY, code text UNIQUE); CREATE TABLE clerk (id int PRIMARY KEY, boss int REFERENCES boss ON DELETE CASCADE, own text); INSERT INTO boss VALUES (1, 'a'), (2, 'b'); INSERT INTO clerk VALUES (1, 1, 'known only here')));
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, strategy => 'mirror', max_deletes => 1);)), '23505', qr/boss_code_key/, 'a unique value that only a delete would free, which would cascade');
is(on_b('SELECT own FROM clerk WHERE id = 1'), 'known only here', 'the row has not gone with its former boss');
on_b(q(UPDATE boss SET code = 'c' WHERE id = 1));
is(run_script($b, $a, q(SELECT string_agg(concat_ws('|', table_name, updated, deleted), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, strategy => 'mirror', max_deletes => 1);)), 'boss|1|1 clerk|1|0', 'without that value in the way');
is(on_b('SELECT own FROM clerk WHERE id = 1'), 'known only here', 'it follows its new boss, and stays');
on_b('DROP TABLE clerk, boss'); on_a('DROP TABLE clerk, boss');

no_leftovers($a, 'in the end');
ok(!log_contains($_, qr{leak|XX000|still active|not closed}), 'nothing was left behind') foreach ($a, $b);
done_testing();
