# What triggers and rules do to rows that come in, by transfer and by import, and that the counts tell it.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
sub on_b { return $b->safe_psql('postgres', $_[0]); }

$a->safe_psql('postgres', q(CREATE TABLE t (id int PRIMARY KEY, v text, n int); INSERT INTO t SELECT i, 'v' || i, i FROM generate_series(1, 20) i));
on_b(q(CREATE TABLE log (n bigserial, what text, rows bigint);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (concat_ws(' ', TG_NAME, TG_WHEN, TG_LEVEL, TG_OP)); RETURN CASE WHEN TG_LEVEL = 'ROW' THEN NEW END; END $$;
	CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what, rows) SELECT TG_NAME, count(*) FROM new_rows; RETURN NULL; END $$;
	CREATE FUNCTION drop_odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.id % 2 = 0 THEN NEW END; END $$;
	CREATE FUNCTION shift_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1000; RETURN NEW; END $$;
	CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := coalesce(OLD.n, 0) + 100; RETURN NEW; END $$;
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;));

# Does $prepare to a table, then overwrites it from the peer, by transfer and by import, and looks at counts and rows: the same both times.
sub both_ways
{
	my ($name, $prepare, $counts, $look, $expected, %options) = @_;
	my $strategy = $options{strategy} || 'overwrite';
	my $columns = $options{columns} || 'id int PRIMARY KEY, v text, n int';
	my %way = (
		transfer => "sync_transfer(:c, 't', strategy => '$strategy', max_errors => NULL)",
		import => "(SELECT (r).* FROM (SELECT sync_import('t', (SELECT jsonb_agg(r ORDER BY r->'id') FROM sync_remote_fetch(:c, 't') r), '$strategy') AS r OFFSET 0) s)");
	foreach my $way (sort keys %way)
	{
		on_b("DROP TABLE IF EXISTS t CASCADE; TRUNCATE log RESTART IDENTITY; CREATE TABLE t ($columns); INSERT INTO t (id, v, n) SELECT i, 'old', 0 FROM generate_series(1, 5) i; $prepare");
		my $out = run_script($b, $a, "SELECT created, updated, skipped, error_count FROM $way{$way} x;\n$look");
		is($out, "$counts\n$expected", "$name, by $way");
	}
	return;
}
sub trigger { my ($name, $when, $function, $level) = @_; return "CREATE TRIGGER $name $when ON t " . ($level || 'FOR EACH ROW') . " EXECUTE FUNCTION $function();"; }

both_ways('no trigger', '', '15|5|0|0', 'SELECT count(*), sum(n) FROM t;', '20|210');
both_ways('a trigger that drops rows', trigger('odd', 'BEFORE INSERT OR UPDATE', 'drop_odd'), '8|2|10|0', q(SELECT count(*), count(*) FILTER (WHERE v = 'old') FROM t;), '13|3');
both_ways('a trigger that drops them by skip', trigger('odd', 'BEFORE INSERT', 'drop_odd'), '8|0|12|0', 'SELECT count(*) FROM t;', '13', strategy => 'skip');
both_ways('a trigger that changes keys', trigger('shift', 'BEFORE INSERT', 'shift_key'), '15|5|0|0', 'SELECT count(*), count(*) FILTER (WHERE id > 1000), max(id) FROM t;', '20|15|1020');
both_ways('a trigger that changes keys to such as exist', trigger('shift', 'BEFORE INSERT', 'shift_key') . q(INSERT INTO t (id) VALUES (7); UPDATE t SET id = 1006 WHERE id = 1007;), '14|5|0|1', 'SELECT count(*), max(id) FROM t;', '20|1020');
both_ways('a trigger that changes keys of existing rows', trigger('shift', 'BEFORE UPDATE', 'shift_key'), '20|5|0|0', 'SELECT count(*), count(*) FILTER (WHERE id > 1000) FROM t;', '25|5');

# A trigger that writes what came anew: a row is what the trigger makes of it, and is so again the next time.
both_ways('a column that a trigger sets', trigger('stamp', 'BEFORE UPDATE', 'stamp'), '15|5|0|0', "SELECT sum(n) FROM t WHERE id <= 5;\nSELECT updated, skipped FROM sync_transfer(:c, 't', strategy => 'overwrite');\nSELECT sum(n) FROM t WHERE id <= 5;", "500\n5|15\n1000");
both_ways('a column that we have alone', trigger('touch', 'BEFORE UPDATE', 'touch'), '15|5|0|0', "SELECT sum(touched) FROM t;\nSELECT updated, skipped FROM sync_transfer(:c, 't', strategy => 'overwrite');\nSELECT sum(touched) FROM t;", "5\n0|20\n5",
	columns => 'id int PRIMARY KEY, v text, n int, touched int DEFAULT 0');

# Which fire: those for the origin and ALWAYS; not those for a replica, disabled ones, and those for columns that no one changes.
both_ways('what fires', trigger('origin', 'BEFORE INSERT OR UPDATE', 'note') . trigger('always', 'AFTER INSERT OR UPDATE', 'note') . trigger('replica', 'BEFORE INSERT OR UPDATE', 'note') . trigger('disabled', 'BEFORE INSERT OR UPDATE', 'note') . trigger('of_key', 'BEFORE UPDATE OF id', 'note') . trigger('of_v', 'BEFORE UPDATE OF v', 'note') . trigger('deleted', 'BEFORE DELETE', 'note')
	  . 'ALTER TABLE t ENABLE ALWAYS TRIGGER always; ALTER TABLE t ENABLE REPLICA TRIGGER replica; ALTER TABLE t DISABLE TRIGGER disabled;',
	'15|5|0|0', 'SELECT what, count(*) FROM log GROUP BY what ORDER BY what COLLATE "C";', "always AFTER ROW INSERT|15\nalways AFTER ROW UPDATE|5\nof_v BEFORE ROW UPDATE|5\norigin BEFORE ROW INSERT|15\norigin BEFORE ROW UPDATE|5");
both_ways('statement triggers see all rows', 'CREATE TRIGGER ins AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION counted(); CREATE TRIGGER upd AFTER UPDATE ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION counted();' . trigger('before', 'BEFORE INSERT', 'note', 'FOR EACH STATEMENT'),
	'15|5|0|0', q(SELECT what, sum(rows) FROM log GROUP BY what ORDER BY what COLLATE "C";), "before BEFORE STATEMENT INSERT|\nins|15\nupd|5");

# Triggers that do more: write the same table, import themselves, end the transaction.
both_ways('a trigger that writes the same table', q(CREATE OR REPLACE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN UPDATE t SET v = v || '!' WHERE id = NEW.id; INSERT INTO t VALUES (-NEW.id, 'echo', 0); END IF; RETURN NULL; END $$;) . trigger('echo', 'AFTER INSERT', 'echo'),
	'15|5|0|0', q(SELECT count(*), count(*) FILTER (WHERE v LIKE '%!'), count(*) FILTER (WHERE id < 0) FROM t;), '35|15|15');
both_ways('a trigger that imports', q(CREATE TABLE copy (id int PRIMARY KEY, v text); CREATE OR REPLACE FUNCTION pass_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM sync_import('copy', jsonb_build_array(jsonb_build_object('id', NEW.id % 4, 'v', NEW.v)), 'overwrite', 0); RETURN NEW; END $$;) . trigger('pass_on', 'BEFORE INSERT OR UPDATE', 'pass_on'),
	'15|5|0|0', 'SELECT count(*) FROM copy;' . "\nDROP TABLE copy; DROP FUNCTION pass_on CASCADE;", '4');
on_b(q(DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN COMMIT; RETURN NEW; END $$;) . trigger('ends', 'BEFORE INSERT', 'ends'));
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', max_errors => NULL);)), '2D000', qr/invalid transaction termination/, 'a trigger that commits');

# What triggers raise: P0001 and violations are the row's, whatever else ends the call.
foreach my $case ([ 'P0001', 1 ], [ '23514', 1 ], [ '22000', 1 ], [ '23ABC', 1 ], [ '42501', 0 ], [ '55000', 0 ], [ 'XY123', 0 ], [ '40001', 0 ], [ '57014', 0 ], [ '53100', 0 ])
{
	my ($state, $is_row) = @$case;
	on_b("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN IF NEW.id = 13 THEN RAISE 'no' USING ERRCODE = '$state', DETAIL = 'thirteen', CONSTRAINT = 'c', COLUMN = 'k'; END IF; RETURN NEW; END \$\$;" . trigger('raises', 'BEFORE INSERT', 'raises'));
	my $sql = q(SELECT created, errors FROM sync_transfer(:c, 't', max_errors => 1););
	if ($is_row)
	{
		is(run_script($b, $a, $sql), qq(19|[{"key": {"id": 13}, "column": "k", "detail": "thirteen", "message": "no", "position": 13, "sqlstate": "$state", "constraint": "c"}]), "$state is the row's");
	}
	else { fails_with($b, pull_script($a, $sql), $state, undef, "$state ends the call"); is(on_b('SELECT count(*) FROM t'), '0', 'and all of it'); }
}
on_b(q(DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE OR REPLACE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 13 THEN RAISE 'no' USING ERRCODE = '23514'; END IF; RETURN NEW; END $$; CREATE CONSTRAINT TRIGGER later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION raises()));
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 't', max_errors => 1);)), '23514', undef, 'a deferred trigger that raises ends a transfer');
is(run_script($b, $a, q(SELECT created, error_count, errors->0->'key' FROM sync_import('t', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, 't') r));)), '19|1|{"id": 13}', 'but is a row of an import');

# They meet the caller's search_path and settings.
on_b(q(CREATE SCHEMA mine; CREATE TABLE mine.seen (path text, style text, who text); DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text, n int); CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_setting('search_path'), '2024-02-03'::date::text, current_user); RETURN NEW; END $$;) . trigger('seen', 'BEFORE INSERT', 'seen'));
run_script($b, $a, "SET search_path = mine, public; SET datestyle = german;\nSELECT sync_transfer(:c, 't');\nDELETE FROM t;\nSELECT sync_import('t', '[{\"id\": 1}]');");
is(on_b('SELECT path, style, who = current_user, count(*) FROM mine.seen GROUP BY 1, 2, 3'), 'mine, public|03.02.2024|t|21', "the caller's settings");

# ---- rules ---------------------------------------------------------------------------------------

both_ways('DO ALSO', q(CREATE RULE also AS ON INSERT TO t DO ALSO INSERT INTO log (what) VALUES ('also'); CREATE RULE also_upd AS ON UPDATE TO t DO ALSO INSERT INTO log (what) VALUES ('upd ' || NEW.v);), '15|5|0|0', q(SELECT count(*), sum(n) FROM t;), '20|210');
both_ways('DO INSTEAD NOTHING', 'CREATE RULE nothing AS ON INSERT TO t DO INSTEAD NOTHING;', '0|5|15|0', 'SELECT count(*) FROM t;', '5');
both_ways('DO INSTEAD NOTHING for updates', 'CREATE RULE nothing AS ON UPDATE TO t DO INSTEAD NOTHING;', '15|0|5|0', q(SELECT count(*), count(*) FILTER (WHERE v = 'old') FROM t;), '20|5');
both_ways('a conditional rule', 'CREATE RULE above AS ON INSERT TO t WHERE NEW.id > 10 DO INSTEAD NOTHING;', '5|5|10|0', 'SELECT count(*) FROM t;', '10');
both_ways('to another table', 'CREATE TABLE archive (id int, v text); CREATE RULE away AS ON INSERT TO t DO INSTEAD INSERT INTO archive VALUES (NEW.id, NEW.v);', '15|5|0|0', "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM archive);\nDROP RULE away ON t; DROP TABLE archive;", '5|15');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
