# A push: what the caller sees arrives there in one transaction, within what the session allows; or nothing does.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;
use Time::HiRes qw(time usleep);

my $a = new_sync_node('pusher', init => { allows_streaming => 1 });
my $b = new_sync_node('receiver', init => { allows_streaming => 1 }, conf => "sync.max_connections = 12\nsync.lock_timeout = 1s\n");
my $url = sync_url($b);
my $everything = '{"strategies": ["skip", "overwrite", "merge", "append"], "create_tables": true}';

$b->safe_psql('postgres', <<'SQL');
CREATE ROLE taker NOLOGIN;
GRANT EXECUTE ON FUNCTION sync_create_session TO taker;
GRANT CREATE ON SCHEMA public TO taker;
SQL

# SQL of ours that pushes to a session of the role taker there.
sub pushing { my ($sql, %options) = @_; return pull_script($b, $sql, direction => 'receive', role => 'taker', options => $everything, %options); }
sub pushed { my ($sql, %options) = @_; return $a->safe_psql($options{from_db} || 'postgres', pushing($sql, %options)); }
sub there { my ($sql) = @_; return $b->safe_psql('postgres', $sql); }
sub here { my ($sql) = @_; return $a->safe_psql('postgres', $sql); }

# ---- by every strategy ---------------------------------------------------------------------------

here(q(CREATE TABLE t (id serial PRIMARY KEY, v text, w text); INSERT INTO t VALUES (1, 'new', NULL), (2, 'new', 'new'), (3, 'same', 'same')));
my $rows = q(SELECT string_agg(concat_ws(':', id, v, coalesce(w, '-')), ' ' ORDER BY id) FROM t);
my %strategies = (
	skip => [ 't|1|0|2|0', '1:old:old 2:new:new 3:same:same' ],
	overwrite => [ 't|1|1|1|0', '1:new:- 2:new:new 3:same:same' ],
	merge => [ 't|1|1|1|0', '1:new:old 2:new:new 3:same:same' ],
	append => [ 't|3|0|0|0', '1:old:old 3:same:same 4:new:- 5:new:new 6:same:same' ],
);
foreach my $strategy (sort keys %strategies)
{
	my ($result, $left) = @{ $strategies{$strategy} };
	there(q(DROP TABLE IF EXISTS t; SET ROLE taker; CREATE TABLE t (id serial PRIMARY KEY, v text, w text); INSERT INTO t VALUES (1, 'old', 'old'), (3, 'same', 'same'); SELECT setval('t_id_seq', 3)));
	is(pushed("SELECT table_name, created, updated, skipped, deleted FROM sync_push(:c, 't', strategy => '$strategy');"), $result, $strategy);
	is(there($rows), $left, "$strategy: the rows there");
}
there(q(INSERT INTO t VALUES (20, 'x')));
here(q(INSERT INTO t VALUES (30, 'x')));
is(pushed(q(SELECT created FROM sync_push(:c, 't');)), '1', 'a second push');
is(there(q(SELECT last_value FROM t_id_seq)), '30', 'moves the sequence to the largest value');
is(pushed(q(SELECT created, skipped, bytes > 0, mode, dry_run, error_count FROM sync_push(:c, 't', 'public.other');)), '4|0|t|full|f|0', 'under another name, created there');
is(there(q(SELECT pg_get_userbyid(relowner), count(*) FROM other, pg_class c WHERE c.oid = 'other'::regclass GROUP BY 1)), 'taker|4', 'by the role of the session');

# Another table that has got the name of one that the session takes, while the push waits for it, is another.
there(q(SET ROLE taker; CREATE TABLE taken (id int PRIMARY KEY); CREATE TABLE untaken (id int PRIMARY KEY)));
here(q(CREATE TABLE taken (id int PRIMARY KEY); INSERT INTO taken VALUES (1)));
{
	my $code = new_code($b, direction => 'receive', role => 'taker', tables => q('{taken}'));
	my $swap = background($b, "BEGIN; ALTER TABLE taken RENAME TO gone; ALTER TABLE untaken RENAME TO taken;\n"
		  . "DO \$\$ BEGIN FOR i IN 1 .. 600 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'gone'::regclass); PERFORM pg_sleep(0.1); END LOOP; END \$\$;\nCOMMIT;\n");
	wait_for(sub { there(q(SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'untaken'::regclass)) eq '1' }, 'tables are exchanged');
	fails_with($a, "SELECT sync_push(sync_connect('$url', '$code'), 'taken')", '42501', qr/permission denied for table taken.*remote: The session does not take/s, 'a table that has got the name of another');
	finished($swap);
	is(there('SELECT count(*) FROM taken'), '0', 'nothing gets into it');
	there('DROP TABLE taken, gone');
	here('DROP TABLE taken');
}

# What becomes a view while the push waits for it runs no code of its owner.
plant_trap($a, 'turned');
there(q(SET ROLE taker; CREATE TABLE turned (id int)));
{
	my $trap = background($a, "SET ROLE mallory; BEGIN; CREATE RULE \"_RETURN\" AS ON SELECT TO mallory.turned DO INSTEAD SELECT 1 AS id WHERE mallory.pounce() = 1;\n"
		  . "DO \$\$ BEGIN FOR i IN 1 .. 600 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'mallory.turned'::regclass); PERFORM pg_sleep(0.1); END LOOP; END \$\$;\nCOMMIT;\n");
	wait_for(sub { here(q(SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'mallory.turned'::regclass)) eq '1' }, 'a table becomes a view');
	fails_with($a, pushing(q(SELECT sync_push(:c, 'mallory.turned', 'turned');)), '55000', qr/definition of table "mallory.turned" was changed/, 'what has become a view');
	finished($trap);
	is(here(q(SELECT NOT is_called FROM mallory.loot)), 't', 'is not read');
	here('SET client_min_messages = error; DROP OWNED BY mallory CASCADE; DROP ROLE mallory');
	there('DROP TABLE turned');
}

# ---- all of them ---------------------------------------------------------------------------------

# The foreign keys there decide the order, whatever they are called; those of a name of ours go along.
my $tables = q(CREATE TABLE a_line (id int PRIMARY KEY, doc int, item text); CREATE TABLE b_doc (id int PRIMARY KEY, party int); CREATE TABLE c_party (id int PRIMARY KEY, name text););
here("$tables INSERT INTO c_party SELECT i, 'p' || i FROM generate_series(1, 100) i; INSERT INTO b_doc SELECT i, 1 + i % 100 FROM generate_series(1, 8000) i;"
		. q(INSERT INTO a_line SELECT i, 1 + i % 8000, 'item ' || i FROM generate_series(1, 20000) i; CREATE SCHEMA more; CREATE TABLE more."Odd Name" (id int PRIMARY KEY); INSERT INTO more."Odd Name" VALUES (1); ANALYZE));
there("SET ROLE taker; $tables ALTER TABLE a_line ADD FOREIGN KEY (doc) REFERENCES b_doc; ALTER TABLE b_doc ADD FOREIGN KEY (party) REFERENCES c_party; RESET ROLE;"
		. q(CREATE SCHEMA more AUTHORIZATION taker; SET ROLE taker; CREATE TABLE more."Odd Name" (id int PRIMARY KEY)));
is(pushed(q(SELECT table_name, created, skipped FROM sync_push_all(:c, exclude => '{t}');)),
	qq(more."Odd Name"|1|0\nc_party|100|0\nb_doc|8000|0\na_line|20000|0), 'push_all: in the order of the foreign keys there');
is(there(q(SELECT count(*) FROM a_line JOIN b_doc d ON d.id = doc JOIN c_party p ON p.id = party)), '20000', 'all has arrived');
is(pushed(q(SELECT table_name, created, updated, skipped FROM sync_push_all(:c, ARRAY['b_doc', 'c_party', 'b_doc', 'more."Odd Name"']::regclass[], '{b_doc}', '{"more.\"Odd Name\"": "merge", "c_party": "overwrite"}') ORDER BY 1;)), qq(c_party|0|0|100\nmore."Odd Name"|0|0|1), 'named tables, less those excluded, each by its strategy');
is(pushed(q(SELECT count(*) FROM sync_push_all(:c, '{}');)), '0', 'no table at all');
here(q(UPDATE b_doc SET party = 555 WHERE id = 7000; UPDATE c_party SET name = 'changed'));
fails_with($a, pushing(q(SELECT sync_push_all(:c, '{c_party, b_doc}', strategy => 'overwrite');)), '23503', qr/remote: Row 8000 with key \{"id": 7000\}: Key \(party\)=\(555\)/, 'one row of one table that cannot be taken');
is(there(q(SELECT count(*) FROM c_party WHERE name = 'changed')), '0', 'takes all tables with it');
is(pushed(q(SELECT table_name, updated, error_count, errors->0->'key', errors->0->>'sqlstate' FROM sync_push_all(:c, '{c_party, b_doc}', strategy => 'overwrite', max_errors => 1);)),
	qq(c_party|100|0||\nb_doc|0|1|{"id": 7000}|23503), 'but for one that is allowed to fail: it is told with its key');
here(q(UPDATE b_doc SET party = 5 WHERE id = 7000));

# ---- what is sent --------------------------------------------------------------------------------

my $psql_here = sub { my ($sql) = @_; return "\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c \"$sql\"\n"; };
there(q(TRUNCATE t));
is(pushed("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM t;\n" . $psql_here->(q(INSERT INTO t VALUES (40, 'later'); DELETE FROM t WHERE id = 1))
			. "SELECT created FROM sync_push(:c, 't');\nROLLBACK;"), "4\n4", 'what the snapshot of the caller shows');
is(there($rows), '1:new:- 2:new:new 3:same:same 30:x:-', 'no more, no less; the rollback here does not undo it');
foreach my $written (q(INSERT INTO t VALUES (50, 'mine')), q(UPDATE t SET v = 'mine' WHERE id = 2), q(DELETE FROM t WHERE id = 2), 'TRUNCATE t', q(SAVEPOINT s; INSERT INTO t VALUES (50, 'mine'); RELEASE s),
	'ALTER TABLE t ALTER w TYPE varchar(50)', q(DROP TABLE t; CREATE TABLE t (id int)))
{
	fails_with($a, pushing("BEGIN;\n$written;\nSELECT sync_push(:c, 't', strategy => 'overwrite');\nCOMMIT;"), '25001', qr/cannot push table "t" in a transaction that has written to it/, $written);
}
here(q(CREATE TABLE parts (id int) PARTITION BY LIST (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)));
fails_with($a, pushing(q(BEGIN; INSERT INTO parts_1 VALUES (1); SELECT sync_push(:c, 'parts');)), '25001', undef, 'a partition that was written to');
is(there($rows), '1:new:- 2:new:new 3:same:same 30:x:-', 'nothing of that has gone over');
is(pushed(q(BEGIN; SAVEPOINT s; INSERT INTO t VALUES (50, 'mine'); ROLLBACK TO s; INSERT INTO c_party VALUES (1000); SELECT count(*) FROM (SELECT FROM t FOR UPDATE) x; SELECT created FROM sync_push(:c, 't'); ROLLBACK;)),
	"4\n1", 'other tables, row locks and what was rolled back do not matter');
fails_with($a, pushing("BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT count(*) FROM c_party;\n" . $psql_here->('TRUNCATE a_line') . "SELECT sync_push(:c, 'a_line', strategy => 'overwrite');"), '55000', qr/was truncated/, 'truncated after the snapshot');
here(q(CREATE TABLE of_whom (id int PRIMARY KEY, who text); INSERT INTO of_whom VALUES (1, 'reader'), (2, 'other'), (3, 'reader');
	ALTER TABLE of_whom ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON of_whom USING (who = current_user); CREATE ROLE reader; GRANT SELECT ON of_whom TO reader;
	GRANT EXECUTE ON FUNCTION sync_connect, sync_push, sync_push_all TO reader; CREATE TABLE secret (id int PRIMARY KEY)));
is(pushed(q(SELECT created FROM sync_push(:c, 'of_whom');)), '3', 'all rows');
there(q(TRUNCATE of_whom));
$a->safe_psql('postgres', "ALTER SYSTEM SET sync.allowed_peers = '*'");
$a->reload;
my $code = new_code($b, direction => 'receive', role => 'taker');
is(here("SET ROLE reader;\nSELECT sync_connect('$url', '$code') AS c \\gset\nSELECT created FROM sync_push(:c, 'of_whom');"), '2', 'rows that row level security hides are not sent');
is(there(q(SELECT string_agg(id::text, ',' ORDER BY id) FROM of_whom)), '1,3', 'nor do they arrive');
$code = new_code($b, direction => 'receive', role => 'taker');
fails_with($a, "SET ROLE reader;\nSELECT sync_connect('$url', '$code') AS c \\gset\nSELECT sync_push(:c, 'secret');", '42501', qr/permission denied for table secret/, 'a table that the caller may not read');
$code = new_code($b, direction => 'receive', role => 'taker');
is(here("SET ROLE reader;\nSELECT sync_connect('$url', '$code') AS c \\gset\nSELECT count(*) FROM sync_push_all(:c);"), '1', 'push_all leaves it out');
here(q(CREATE VIEW a_view AS SELECT 1 AS id; CREATE TEMP TABLE x (id int)));
fails_with($a, pushing(q(SELECT sync_push(:c, 'a_view');)), '42809', undef, 'a view');
fails_with($a, pushing(q(SELECT sync_push(:c, 'pg_class');)), '42809', undef, 'a catalog');
fails_with($a, pushing(q(SELECT sync_push(:c, NULL);)), '22004', undef, 'null');

# ---- limits of the session -----------------------------------------------------------------------

# What is not allowed is refused before a row is sent.
my $sent = q(SELECT bytes_out FROM sync_clients());
here(q(CREATE TABLE large (id int PRIMARY KEY, v text); INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i; ANALYZE large));
there(q(SET ROLE taker; CREATE TABLE large (id int PRIMARY KEY, v text); CREATE TABLE small (id int PRIMARY KEY, v text)));
foreach my $case (
	[ q(strategy => 'overwrite'), '{}', '42501', qr/does not allow strategy "overwrite".*HINT:.*\["skip", "append"\]/s ],
	[ q(strategy => 'merge'), '{"strategies": ["skip", "overwrite"]}', '42501', qr/strategy "merge"/ ],
	[ q(strategy => 'skip'), '{"strategies": ["overwrite", "mirror"]}', '42501', qr/\["overwrite", "mirror"\]/ ],
	[ q('not_there'), '{}', '42P01', qr/"not_there" does not exist.*session does not allow tables to be created/s ],
	[ q('not_there', create_missing_tables => false), $everything, '42P01', qr/create_missing_tables => true/ ],
	[ q('small'), '{}', '42501', qr/session does not take this table/, q('{large}') ],
	[ q('not_there'), '{"create_tables": true}', '42501', qr/session does not take this table/, q('{large}') ],
	[ q('pg_catalog.pg_class'), '{}', '42809', undef ],
	[ q('sync_settings'), '{}', '42501', undef ])
{
	my ($arguments, $options, $sqlstate, $text, $only) = @$case;
	my $err = fails_with($a, pushing("SELECT sync_push(:c, 'large', $arguments);", options => $options, tables => $only), $sqlstate, $text, "$arguments under $options");
	like($err, qr/remote:/, 'it is the peer that says so');
	my ($ret, $out) = $a->psql('postgres', pushing("SELECT sync_push(:c, 'large', $arguments);\n$sent;", options => $options, tables => $only), on_error_stop => 0);
	cmp_ok($out =~ /^(\d+)$/m ? $1 : 1e9, '<', 10_000, 'before a row is sent');
}
is(there(q(SELECT count(*) FROM large)), '0', 'nothing has come');
fails_with($a, pushing(q(SELECT sync_push(:c, 't', max_rate => 0);)), '22023', qr/max_rate.*must be positive/, 'max_rate');

# Deletes, dry runs, verification, skipped triggers.
my $mirror = '{"strategies": ["mirror"], "max_deletes": 3, "triggers": "skip"}';
my $counts = q(created, updated, skipped, deleted, dry_run, verified);
here('CREATE TABLE mirrored (id int PRIMARY KEY, v text); INSERT INTO mirrored VALUES (1, $$a$$), (2, $$b$$)');
there(q(SET ROLE taker; CREATE TABLE mirrored (id int PRIMARY KEY, v text); INSERT INTO mirrored VALUES (2, 'x'), (3, 'c'), (4, 'd'), (5, 'e')));
fails_with($a, pushing(q(SELECT sync_push(:c, 'mirrored', strategy => 'mirror', max_deletes => 4);), options => $mirror), '42501', qr/does not allow 4 rows to be deleted/, 'more deletes than the session allows');
fails_with($a, pushing(q(SELECT sync_push(:c, 'mirrored', strategy => 'mirror', max_deletes => 2);), options => $mirror), '55000', qr/would delete 3 rows/, 'more deletes than the pusher allows');
is(pushed("SELECT $counts FROM sync_push(:c, 'mirrored', strategy => 'mirror', dry_run => true);", options => $mirror), '1|1|0|3|t|', 'a dry run');
is(there('SELECT count(*) FROM mirrored'), '4', 'changes nothing');
there(q(SET ROLE taker; INSERT INTO mirrored VALUES (6, 'f')));
fails_with($a, pushing(q(SELECT sync_push(:c, 'mirrored', strategy => 'mirror');), options => $mirror), '55000', qr/would delete 4 rows/, 'without a limit of the pusher the session has one');
there(q(SET ROLE taker; DELETE FROM mirrored WHERE id = 6; CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$; CREATE TRIGGER never BEFORE INSERT OR UPDATE OR DELETE ON mirrored FOR EACH ROW EXECUTE FUNCTION never()));
fails_with($a, pushing(q(SELECT sync_push(:c, 'mirrored', strategy => 'mirror');), options => $mirror), 'P0001', qr/fired/, 'triggers fire');
fails_with($a, pushing(q(SELECT sync_push(:c, 'mirrored', triggers => 'skip');)), '42501', qr/does not allow triggers to be skipped/, 'unless the session lets them be skipped');
is(pushed("SELECT $counts FROM sync_push(:c, 'mirrored', strategy => 'mirror', triggers => 'skip', verify => true);", options => $mirror), '1|1|0|3|f|t', 'mirrored and verified without triggers');
is(there('SELECT string_agg(id || v, $$ $$ ORDER BY id) FROM mirrored'), '1a 2b', 'as it is here');
fails_with($a, pushing(qq(SELECT sync_push(:c, 't', $_);)), '22023', qr/HINT:  Available values/, $_) foreach (q(strategy => 'nonsense'), q(mode => 'slow'), q(triggers => 'never'), q(sequences => 'x'));

# Rows in all: in one push, and over several; what failed does not count.
my $three = '{"max_rows": 250}';
fails_with($a, pushing(q(SELECT sync_push(:c, 'large');), options => $three), '53400', qr/more rows than the session takes.*250/s, 'max_rows');
is(there(q(SELECT count(*) FROM large)), '0', 'nothing has come');
my ($ret, $out, $err) = $a->psql('postgres', pushing(q(SELECT created + skipped FROM sync_push(:c, 'c_party');
SELECT sync_push(:c, 'large');
SELECT created + skipped FROM sync_push(:c, 'c_party');
SELECT created + skipped FROM sync_push(:c, 'c_party');), options => $three), on_error_stop => 0);
is($out, "100\n100", 'what the session may take it takes');
is(scalar(() = $err =~ /more rows than the session takes/g), 2, 'and no more');

# The direction.
fails_with($a, pull_script($b, q(SELECT sync_push(:c, 't');)), '42501', qr/does not let its peer write.*remote:/s, 'a push to a session for reading');
fails_with($a, pushing("SELECT $_;"), '42501', qr/does not let its peer read/, $_) foreach (q(sync_remote_list_tables(:c)), q(sync_remote_get_count(:c, 't')), q(sync_transfer(:c, 't')), q(sync_remote_fetch(:c, 't')));

# ---- rights there --------------------------------------------------------------------------------

there(q(CREATE TABLE not_mine (id int PRIMARY KEY, v text); GRANT SELECT ON not_mine TO taker; CREATE TABLE insert_only (id int PRIMARY KEY, v text); GRANT SELECT, INSERT ON insert_only TO taker;
	CREATE TABLE guarded (id int PRIMARY KEY, v text); GRANT ALL ON guarded TO taker; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON guarded USING (true) WITH CHECK (id % 3 <> 0)));
fails_with($a, pushing(q(SELECT sync_push(:c, 'c_party', 'not_mine', drop_extra_columns => true);)), '42501', qr/permission denied for table not_mine.*remote:/s, 'without INSERT');
is(pushed(q(SELECT created FROM sync_push(:c, 't', 'insert_only', drop_extra_columns => true);)), '4', 'with INSERT');
here(q(UPDATE t SET v = 'again'));
fails_with($a, pushing(q(SELECT sync_push(:c, 't', 'insert_only', 'overwrite', drop_extra_columns => true);)), '42501', qr/permission denied for table insert_only/, 'without UPDATE');
fails_with($a, pushing(q(SELECT sync_push(:c, 't', 'guarded', drop_extra_columns => true);)), '42501', qr/row-level security/, 'row level security there');
is(pushed(q(SELECT created, error_count, jsonb_path_query_array(errors, '$[*].key.id') FROM sync_push(:c, 't', 'guarded', drop_extra_columns => true, max_errors => NULL);)), '2|2|[3, 30]', 'row by row');

# Triggers fire as that role, with its search_path, at commit too, and cannot become anybody else.
there(<<'SQL');
ALTER ROLE taker SET search_path = more, public;
CREATE TABLE seen (what text, who text, path text);
GRANT ALL ON seen TO taker;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (TG_ARGV[0], current_user, current_setting('search_path')); RETURN NULL; END $$;
CREATE TABLE fired (id int PRIMARY KEY, v text);
GRANT ALL ON fired TO taker;
CREATE TRIGGER now AFTER INSERT ON fired FOR EACH STATEMENT EXECUTE FUNCTION note('now');
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON seen DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.what = 'now') EXECUTE FUNCTION note('late');
CREATE FUNCTION climb() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE TG_ARGV[0]; RETURN NEW; END $$;
CREATE TABLE climbed (id int PRIMARY KEY, v text);
GRANT ALL ON climbed TO taker;
SQL
is(pushed(q(SELECT created FROM sync_push(:c, 't', 'fired', drop_extra_columns => true);)), '4', 'triggers fire');
is(there(q(SELECT DISTINCT what, who, path FROM seen ORDER BY 1)), qq(late|taker|more, public\nnow|taker|more, public), 'as the role, with its search_path, before and at the commit');
foreach my $climb ('SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION', 'COMMIT', 'ALTER ROLE taker SUPERUSER')
{
	there("CREATE OR REPLACE TRIGGER climb BEFORE INSERT ON climbed FOR EACH ROW EXECUTE FUNCTION climb('$climb')");
	fails_with($a, pushing(q(SELECT sync_push(:c, 't', 'climbed', drop_extra_columns => true);)), $climb eq 'COMMIT' ? '0A000' : '42501', undef, "a trigger that does $climb");
}
there(q(DROP TRIGGER climb ON climbed; ALTER ROLE taker RESET search_path));

# What only the commit finds is found, and told.
there(q(CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_ARGV[0] = 'late' THEN RAISE 'too late' USING DETAIL = 'At commit.'; END IF; INSERT INTO public.seen VALUES (TG_ARGV[0]); RETURN NULL; END $$; TRUNCATE fired, seen));
fails_with($a, pushing(q(SELECT sync_push(:c, 't', 'fired', drop_extra_columns => true);)), 'P0001', qr/too late.*remote: At commit/s, 'a commit that fails');
is(there(q(SELECT count(*) FROM fired)), '0', 'leaves nothing');

# ---- errors --------------------------------------------------------------------------------------

# After an error the connection and its session go on; a peer that has refused is not sent the rest.
there(q(SET ROLE taker; CREATE TABLE picky (id int PRIMARY KEY, v text CHECK (v <> repeat('x', 1000)))));
here(q(CREATE TABLE huge (id int PRIMARY KEY, v text); ALTER TABLE huge ALTER v SET STORAGE EXTERNAL; INSERT INTO huge SELECT i, repeat('x', 1000) FROM generate_series(1, 100000) i; ANALYZE huge));
my $log = -s $b->logfile;
($ret, $out, $err) = $a->psql('postgres', pushing(qq(\\set VERBOSITY verbose
SELECT sync_push(:c, 'huge', 'picky');
SELECT sync_push(:c, 'huge', 'picky', max_errors => 5);
$sent;
SELECT created + skipped FROM sync_push(:c, 'c_party');)), on_error_stop => 0);
is(scalar(() = $err =~ /ERROR:  23514:.*?DETAIL:  remote: Row \d+ with key \{"id": \d+\}/gs), 2, 'rows that are refused');
my ($bytes, $after) = split /\n/, $out;
cmp_ok($bytes, '<', 40_000_000, 'the rest of them is not sent');
is($after, '100', 'the next push over the same connection');
is(scalar(() = substr(slurp_file($b->logfile), $log) =~ /sync peer accepted/g), 1, 'it is the same indeed');
ok(wait_for(sub { log_contains($b, qr/sync peer ended: peer=\S+ role=taker database=postgres tables=1 rows=100 bytes=\d{6,} ms=\d+ result=completed/, $log) }, 'its end is logged'), 'what was taken is in the log');
fails_with($a, pushing(q(SELECT sync_push(:c, 't', 'large');)), '42804', qr/lacks columns.*drop_extra_columns/s, 'columns that are missing there');
like(($a->psql('postgres', pushing(q(SELECT FROM sync_push_all(:c, '{c_party}', strategies => '{"party": "skip"}');)), on_error_stop => 0))[2], qr/WARNING:  argument "strategies" has a strategy for table "party"/, 'a strategy for no table');
fails_with($a, "SELECT sync_push(99, 't')", 'P0002', undef, 'a client that is none');

# ---- interrupted ---------------------------------------------------------------------------------

there(q(CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END $$; SET ROLE taker; CREATE TABLE slow_there (id int PRIMARY KEY, v text);
	CREATE TRIGGER crawl BEFORE INSERT ON slow_there FOR EACH ROW EXECUTE FUNCTION crawl()));
here(q(CREATE FUNCTION crawl(id int) RETURNS bool LANGUAGE plpgsql COST 10000 AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN true; END $$;
	CREATE TABLE slow_here (id int PRIMARY KEY, v text); INSERT INTO slow_here SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) i;
	ALTER TABLE slow_here ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY crawl ON slow_here USING (crawl(id)); CREATE ROLE crawler LOGIN;
	GRANT SELECT ON slow_here TO crawler; GRANT EXECUTE ON FUNCTION sync_connect, sync_push, sync_disconnect TO crawler));
there(q(SET ROLE taker; CREATE TABLE slow_here (id int PRIMARY KEY, v text)));
my %phases = (
	'while rows are read here' => [ q(SET ROLE crawler;), q(sync_push(:c, 'slow_here')), 'slow_here' ],
	'while rows are written there' => [ '', q(sync_push(:c, 'large', 'slow_there')), 'slow_there' ]);
sub start_push
{
	my ($phase, $set) = @_;
	$set //= '';
	my ($role, $call, $table) = @{ $phases{$phase} };
	my $push = background($a, "SET application_name = 'pushing';\n$role\n" . pushing("$set\nSELECT $call;"));
	wait_for(sub { here(q(SELECT direction FROM sync_progress() WHERE phase IN ('copying', 'waiting'))) eq 'send' }, "a push runs ($phase)") or diag($push->{err});
	wait_for(sub { there(q(SELECT direction FROM sync_progress() WHERE phase = 'copying')) eq 'receive' }, "and is taken ($phase)");
	return ($push, $table);
}
sub end_push { my ($how) = @_; here("SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'pushing'"); }
sub clean
{
	my ($table, $name) = @_;
	my $began = time;
	wait_for(sub { there('SELECT count(*) FROM sync_peers()') eq '0' }, "$name: the worker ends");
	cmp_ok(time - $began, '<', 20, "$name: soon");
	is(there("SELECT count(*) FROM $table"), '0', "$name: nothing has arrived");
	soon_is($_, q(SELECT count(*) FROM sync_progress()), '0', "$name: no progress is shown") foreach $a, $b;
	soon_is($b, qq(SELECT count(*) FROM pg_locks WHERE relation = '$table'::regclass AND pid <> pg_backend_pid()), '0', "$name: no lock is left there");
	soon_is($b, q(SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()), '0', "$name: and no transaction");
}
foreach my $phase (sort keys %phases)
{
	my ($push, $table) = start_push($phase);
	is(there(q(SELECT direction, status FROM sync_sessions() ORDER BY created_at DESC LIMIT 1)), 'receive|connected', 'its session');
	is(there(q(SELECT role, state FROM sync_peers())), 'taker|push/rows', 'its peer');
	is(there(q(SELECT role, client IS NULL, table_name FROM sync_progress())), "taker|t|$table", 'and its progress');
	end_push('pg_cancel_backend');
	finished($push);
	like($push->{err}, qr/ERROR:  57014: canceling statement due to user request/, "cancel $phase");
	clean($table, "cancel $phase");

	($push, $table) = start_push($phase);
	end_push('pg_terminate_backend');
	finished($push);
	clean($table, "terminate $phase");

	($push, $table) = start_push($phase, q(SET statement_timeout = '5s';));
	finished($push);
	like($push->{err}, qr/ERROR:  57014: canceling statement due to statement timeout/, "statement_timeout here $phase");
	clean($table, "statement_timeout here $phase");

	there(q(ALTER ROLE taker SET statement_timeout = '5s'));
	($push, $table) = start_push($phase);
	there(q(ALTER ROLE taker RESET statement_timeout));
	my $began = time;
	finished($push);
	cmp_ok(time - $began, '<', 20, 'the pusher hears of it at once');
	like($push->{err}, qr/ERROR:  57014: canceling statement due to statement timeout\nDETAIL:  remote:/, "statement_timeout there $phase");
	clean($table, "statement_timeout there $phase");

	($push, $table) = start_push($phase);
	there(q(SELECT pg_terminate_backend(pid) FROM sync_peers()));
	finished($push);
	like($push->{err}, qr/ERROR:  08006/, "the worker is terminated $phase");
	clean($table, "terminated worker $phase");
}
{
	my ($push, $table) = start_push('while rows are read here');
	kill 'KILL', there(q(SELECT pid FROM sync_peers()));
	finished($push);
	like($push->{err}, qr/ERROR:  08006/, 'the worker is killed');
	wait_for(sub { my ($r, $o) = $b->psql('postgres', 'SELECT worker_state FROM sync_get_config()'); $r == 0 && $o eq 'running' }, 'the server has recovered');
	clean($table, 'a worker that is killed');
	($push, $table) = start_push('while rows are written there');
	$a->stop('immediate');
	finished($push);
	$a->start;
	wait_for(sub { here(q(SELECT worker_state FROM sync_get_config())) eq 'running' }, 'the pusher is back');
	clean($table, 'a pusher that crashes');
}

# A lock that is not to be had there is given up after sync.lock_timeout.
my $locker = background($b, "BEGIN;\nLOCK TABLE c_party;\nSELECT pg_sleep(300);\n");
wait_for(sub { there(q(SELECT count(*) FROM pg_locks WHERE relation = 'c_party'::regclass AND mode = 'AccessExclusiveLock' AND granted)) eq '1' }, 'the table is locked');
fails_with($a, pushing(q(SELECT sync_push(:c, 'c_party');)), '55P03', qr/lock timeout.*remote:/s, 'a table that is locked there');
there(q(SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'c_party'::regclass AND mode = 'AccessExclusiveLock'));
finished($locker);

# Where the connection is lost while the peer commits, nobody knows what has become of it.
there(q(CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_ARGV[0] = 'late' THEN PERFORM pg_sleep(60); END IF; INSERT INTO public.seen VALUES (TG_ARGV[0]); RETURN NULL; END $$));
foreach my $end ('the worker is terminated', 'the caller cancels')
{
	my $push = background($a, "SET application_name = 'pushing';\n" . pushing(q(SELECT sync_push(:c, 't', 'fired', drop_extra_columns => true);)));
	wait_for(sub { there(q(SELECT phase FROM sync_progress())) eq 'committing' or there(q(SELECT state FROM sync_peers())) eq 'push/commit' }, 'the peer commits');
	$end =~ /worker/ ? there(q(SELECT pg_terminate_backend(pid) FROM sync_peers())) : end_push('pg_cancel_backend');
	finished($push);
	like($push->{err}, $end =~ /worker/ ? qr/ERROR:  08007: the outcome of the push is unknown.*HINT/s : qr/ERROR:  57014: the outcome of the push is unknown.*HINT/s, "$end while the peer commits");
	clean('fired', $end);
}

# ---- memory --------------------------------------------------------------------------------------

{
	here(q(UPDATE huge SET v = v || v || id));    # 200 MB
	there(q(SET ROLE taker; CREATE TABLE huge (id int PRIMARY KEY, v text)));
	foreach my $path ('in bulk', 'by sets')
	{
		there(q(TRUNCATE huge));
		there(q(INSERT INTO huge VALUES (0))) if $path eq 'by sets';
		my $push = background($a, "SET application_name = 'pushing';\nSELECT 1;\n" . pushing(q(SELECT created FROM sync_push(:c, 'huge');)));
		my %peak = (here => 0, there => 0);
		my %pid;
		while ($push->{run}->pumpable)
		{
			$pid{here} ||= here(q(SELECT pid FROM sync_progress())) || 0;
			$pid{there} ||= there(q(SELECT pid FROM sync_progress())) || 0;
			foreach my $side (grep { $pid{$_} } keys %peak) { my $dirty = private_dirty($pid{$side}); $peak{$side} = $dirty if $dirty > $peak{$side}; }
			$push->{run}->pump_nb;
			usleep(20_000);
		}
		finished($push);
		like($push->{out}, qr/100000/, "a large table, $path");
		cmp_ok($peak{$_}, '>', 0, "memory was measured $_") foreach sort keys %peak;
		cmp_ok($peak{$_}, '<', 64 * 1024, "it is modest $_, $path") foreach sort keys %peak;
	}
	is(there(q(SELECT sum(length(v)) FROM huge)), here(q(SELECT sum(length(v)) FROM huge)), 'all is there');
}

# A batch that has grown into a file, because of rows that are a little larger than a power of two.
there(q(TRUNCATE large; INSERT INTO large VALUES (0)));
is(pushed(q(SELECT created FROM sync_push(:c, 'large');)), '20000', 'batches that spill');
is(there(q(SELECT count(*), sum(length(v)) FROM large)), '20001|20000000', 'arrive whole');
ok(!log_contains($b, qr/temporary file leak/), 'and leave no file behind');

# ---- encodings -----------------------------------------------------------------------------------

foreach my $node ($a, $b)
{
	foreach my $encoding ('LATIN1', 'UTF8')
	{
		my $db = lc $encoding;
		$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
		$node->safe_psql($db, qq(CREATE EXTENSION sync; SELECT sync_enable(); SET client_encoding = 'UTF8'; CREATE TABLE "Straße" (id int PRIMARY KEY, "wört" text CHECK ("wört" <> 'schön'))));
	}
}
foreach my $from ('latin1', 'utf8')
{
	$a->safe_psql($from, q(SET client_encoding = 'UTF8'; INSERT INTO "Straße" VALUES (1, 'Ärger über Öl')));
	foreach my $to ('latin1', 'utf8')
	{
		foreach my $client ('UTF8', 'LATIN1')
		{
			$b->safe_psql($to, q(SET client_encoding = 'UTF8'; TRUNCATE "Straße"));
			my $quiet = pushing(qq(SELECT oid::regclass AS t FROM pg_class WHERE relname LIKE 'Stra%' AND relkind = 'r' \\gset
SET client_encoding = '$client';
SELECT created FROM sync_push(:c, (SELECT oid FROM pg_class WHERE relname LIKE 'Stra%' AND relkind = 'r'));), db => $to, role => 'postgres');
			is($a->safe_psql($from, $quiet), '1', "$from to $to, with a client in $client");
			is($b->safe_psql($to, q(SET client_encoding = 'UTF8'; SELECT "wört" FROM "Straße")), 'Ärger über Öl', 'the text is the same');
		}
	}
	$a->safe_psql($from, q(SET client_encoding = 'UTF8'; INSERT INTO "Straße" VALUES (5, 'schön')) =~ s/INSERT/ALTER TABLE "Straße" DROP CONSTRAINT IF EXISTS "Straße_wört_check"; INSERT/r);
	my $err = fails_with($a, pushing(q(SET client_encoding = 'UTF8'; SELECT sync_push(:c, '"Straße"', '"Straße"', 'overwrite');), db => 'latin1', role => 'postgres'), '23514', qr/"Straße"/, "an error there, $from", db => $from);
}
$a->safe_psql('utf8', q(SET client_encoding = 'UTF8'; DELETE FROM "Straße"; INSERT INTO "Straße" VALUES (1, '漢字')));
fails_with($a, pushing(q(SET client_encoding = 'UTF8'; SELECT sync_push(:c, '"Straße"', '"Straße"', 'overwrite');), db => 'latin1', role => 'postgres'), '22P05', qr/remote:/, 'a character that the other side has not', db => 'utf8');

# ---- standbys ------------------------------------------------------------------------------------

foreach my $primary ($a, $b)
{
	$primary->backup('backup');
	my $standby = PostgreSQL::Test::Cluster->new('standby_of_' . $primary->name);
	$standby->init_from_backup($primary, 'backup', has_streaming => 1);
	$standby->{sync_port} = free_port();
	$standby->append_conf('postgresql.conf', "sync.port = $standby->{sync_port}");
	$standby->start;
	wait_for(sub { $standby->safe_psql('postgres', 'SELECT worker_state FROM sync_get_config()') eq 'running' }, 'the launcher of a standby');
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	if ($primary == $a)
	{
		there(q(TRUNCATE t));
		is($standby->safe_psql('postgres', pushing(q(SELECT created FROM sync_push(:c, 't');))), here(q(SELECT count(*) FROM t)), 'a standby pushes');
	}
	else
	{
		fails_with($a, pull_script($standby, q(SELECT sync_push(:c, 't');), direction => 'receive'), '25006', qr/remote:/, 'a standby takes nothing');
	}
	$standby->stop;
}

wait_for(sub { here(q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pushing')) eq '0' }, 'the last push has ended');
no_leftovers($a, 'pusher');
wait_for(sub { there('SELECT count(*) FROM sync_peers()') eq '0' }, 'no peer is left');
done_testing();
