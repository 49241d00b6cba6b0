# retries => n: rows that failed when they were written are tried again when all tables are loaded.
use strict;
use warnings;
use lib 'perl';
use JSON::PP;
use PhoenixSender;
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 10\n");
my $b = new_sync_node('receiver', conf => "sync.allowed_peers = 'localhost, 127.0.0.1'\n");
$b->safe_psql('postgres', q(CREATE ROLE loader;
	GRANT EXECUTE ON FUNCTION sync_connect, sync_transfer, sync_transfer_all, sync_transfer_async TO loader));
sub on_a { return $a->safe_psql('postgres', $_[0]); }
sub on_b { return $b->safe_psql('postgres', $_[0]); }

# The same tables on both sides, on the receiver with further definitions, and not owned by who loads.
sub tables
{
	my ($sql, $on_receiver) = @_;
	foreach my $node ($a, $b)
	{
		$node->safe_psql('postgres', 'SET client_min_messages = error; DROP SCHEMA data CASCADE') if $node->safe_psql('postgres', q(SELECT count(*) FROM pg_namespace WHERE nspname = 'data'));
		$node->safe_psql('postgres', "CREATE SCHEMA data; SET search_path = data; $sql");
	}
	on_b('SET search_path = data; ' . ($on_receiver || '') . '; GRANT USAGE ON SCHEMA data TO loader; GRANT ALL ON ALL TABLES IN SCHEMA data TO loader; GRANT ALL ON ALL SEQUENCES IN SCHEMA data TO loader');
}

my $counts = q(string_agg(concat_ws('|', replace(table_name, 'data.', ''), created, updated, skipped, deleted, error_count), ' '));
# Transfers tables of schema data; returns the counts of each.
sub transfer
{
	my ($tables, $options, %how) = @_;
	my $names = join ',', map { "data.$_" } split / /, $tables;
	my $what = $how{what} || $counts;
	return $b->safe_psql('postgres', 'SET ROLE ' . ($how{role} || 'loader') . ";\n" . pull_script($a, "SELECT $what FROM sync_transfer_all(:c, '{$names}', $options);"));
}
sub refused
{
	my ($tables, $options, @rest) = @_;
	my $names = join ',', map { "data.$_" } split / /, $tables;
	return fails_with($b, "SET ROLE loader;\n" . pull_script($a, "SELECT sync_transfer_all(:c, '{$names}', $options);"), @rest);
}
sub same { my ($name, @tables) = @_; is(on_b("SELECT sync_checksum('data.$_')"), on_a("SELECT sync_checksum('data.$_')"), "$name: $_") foreach @tables; }
my $listed = q(string_agg((SELECT string_agg(concat_ws(' ', e->'position', e->'key'->>'id', e->>'message'), ', ' ORDER BY e->'position') FROM jsonb_array_elements(errors) e), '; '));

# ---- a cycle that nothing else can be done about ---------------------------------------------------

# Each row refers to the next one, the last to itself; no batch but the last can be written when it comes.
# Rows come 128 kB at a time, of which a batch has at least one lot.
tables(q(CREATE TABLE tree (id int PRIMARY KEY, parent int NOT NULL REFERENCES tree, pad text)));
on_a(q(INSERT INTO data.tree SELECT i, least(i + 1, 1000), repeat('x', 2000) FROM generate_series(1, 1000) i));
refused('tree', 'batch_size => 100', '0A000', qr/foreign keys of table "data.tree" form a cycle.*HINT:.*retries/s, 'without retries');
is(transfer('tree', 'batch_size => 100, retries => 1'), 'tree|1000|0|0|0|0', 'one pass from behind brings all');
same('children first', 'tree');
is(transfer('tree', 'batch_size => 100, retries => 1'), 'tree|0|0|1000|0|0', 'again');
on_b('TRUNCATE data.tree');
on_a(q(TRUNCATE data.tree; INSERT INTO data.tree SELECT i, greatest(i - 1, 1), repeat('x', 2000) FROM generate_series(1, 1000) i));
is(transfer('tree', 'batch_size => 100, retries => 1'), 'tree|1000|0|0|0|0', 'parents first');
same('parents first', 'tree');

# Two tables that refer to each other. The egg that the first hen is from was there before.
tables(q(CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL); CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL REFERENCES egg)),
	q(INSERT INTO egg VALUES (0, 0); ALTER TABLE egg ADD FOREIGN KEY (hen) REFERENCES hen NOT VALID));
on_a('INSERT INTO data.egg SELECT i, i FROM generate_series(0, 3) i; INSERT INTO data.hen SELECT i, i - 1 FROM generate_series(1, 3) i');
is(transfer('egg hen', 'retries => 10'), 'egg|3|0|1|0|0 hen|3|0|0|0|0', 'over two tables');
same('two tables', qw(egg hen));

# Where nothing can be first.
on_b('DELETE FROM data.hen WHERE id < 0; ALTER TABLE data.egg DISABLE TRIGGER ALL; ALTER TABLE data.hen DISABLE TRIGGER ALL; DELETE FROM data.egg; DELETE FROM data.hen; ALTER TABLE data.egg ENABLE TRIGGER ALL; ALTER TABLE data.hen ENABLE TRIGGER ALL');
refused('egg hen', 'retries => 10', '23503', qr/violates foreign key.*DETAIL:  Row 1 with key \{"id": 0\}.*HINT:  4 rows have failed, more than max_errors => 0/s, 'nothing can be the first');
is(on_b('SELECT (SELECT count(*) FROM data.egg), (SELECT count(*) FROM data.hen)'), '0|0', 'and nothing is there');
is(transfer('egg hen', 'retries => 10, max_errors => NULL'), 'egg|0|0|0|0|4 hen|0|0|0|0|3', 'all are errors');

# ---- passes --------------------------------------------------------------------------------------

# Forward come row 1 and then 10, backward 5, forward 7, backward 6. A trigger counts how often each is tried.
my $counted = q(
	CREATE TABLE tries (id int PRIMARY KEY, seq text);
	DO $do$ BEGIN FOR i IN 1..20 LOOP EXECUTE format('CREATE SEQUENCE tried_%s', i); END LOOP; END $do$;
	CREATE FUNCTION count_try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('data.tried_' || NEW.id); RETURN NEW; END $$;
	CREATE FUNCTION reset() RETURNS void LANGUAGE sql AS $$ SELECT setval(('data.tried_' || i)::regclass, 1, false) FROM generate_series(1, 20) i $$;
	CREATE FUNCTION tried(i int) RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(pg_sequence_last_value(('data.tried_' || i)::regclass), 0) $$;);
tables(q(CREATE TABLE zigzag (id int PRIMARY KEY, parent int NOT NULL REFERENCES zigzag, pad text)), $counted . q(CREATE TRIGGER t BEFORE INSERT ON zigzag FOR EACH ROW EXECUTE FUNCTION count_try()));
on_a(q(ALTER TABLE data.zigzag DISABLE TRIGGER ALL; INSERT INTO data.zigzag SELECT i, p, repeat('x', 140000) FROM (VALUES (1, 1), (5, 10), (6, 7), (7, 5), (10, 1)) v(i, p);
	ALTER TABLE data.zigzag ENABLE TRIGGER ALL));
foreach my $case ([ 1, '3', '3 6, 4 7' ], [ 2, '4', '3 6' ], [ 3, '5', '' ], [ 10, '5', '' ])
{
	my ($retries, $created, $left) = @$case;
	my $errors = 5 - $created;
	on_b('TRUNCATE data.zigzag; SELECT data.reset()');
	is(transfer('zigzag', "batch_size => 1, retries => $retries, max_errors => NULL"), "zigzag|$created|0|0|0|$errors", "$retries retries: the counts are exact");
	# Alone in its batch a row is tried twice each time: as a batch, and as the row that fails.
	my $passes = $retries > 3 ? 3 : $retries;
	is(on_b('SELECT data.tried(6)'), 2 * $passes + ($errors == 0 ? 1 : 2), "$retries retries: so many passes");
	next if $left eq '';
	on_b('TRUNCATE data.zigzag');
	my $errors_of = transfer('zigzag', "batch_size => 1, retries => $retries, max_errors => NULL", what => $listed);
	is(join(', ', $errors_of =~ /(\d+ \d+) insert/g), $left, "$retries retries: those are listed that are left, by their places");
	on_b('TRUNCATE data.zigzag');
	refused('zigzag', "batch_size => 1, retries => $retries, max_errors => " . ($errors - 1), '23503', qr/Row 3 with key \{"id": 6\}.*$errors rows? ha\w+ failed, more than max_errors/s, "$retries retries: they count in the end");
	is(on_b('SELECT count(*) FROM data.zigzag'), '0', "$retries retries: nothing is left");
	is(transfer('zigzag', "batch_size => 1, retries => $retries, max_errors => $errors"), "zigzag|$created|0|0|0|$errors", "$retries retries: as many as are allowed");
}

# ---- what triggers wait for ------------------------------------------------------------------------

# Rows of orders have to wait for stock, which is loaded later; that they are large takes them to a file.
my $waiting = $counted . q(
	CREATE FUNCTION need_stock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.id <= 20 THEN PERFORM nextval('data.tried_' || NEW.id); END IF;
		IF NOT EXISTS (SELECT FROM data.stock WHERE id = coalesce(NEW.item, NEW.id)) THEN
			RAISE 'no stock of %, try %', coalesce(NEW.item, NEW.id), CASE WHEN NEW.id <= 20 THEN data.tried(NEW.id) END;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER t BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION need_stock(););
my $stock = q(CREATE TABLE orders (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text, item int); CREATE TABLE stock (id int PRIMARY KEY));
tables($stock, $waiting);
on_a(q(INSERT INTO data.orders SELECT i, string_agg(md5(i + j / 7.0 || ''), '') FROM generate_series(1, 3000) i, generate_series(1, 100) j GROUP BY i ORDER BY i; INSERT INTO data.stock SELECT generate_series(1, 3000)));
refused('orders stock', 'batch_size => 500', 'P0001', qr/no stock of 1,/, 'a trigger refuses rows');
is(transfer('orders stock', 'batch_size => 500, retries => 1'), 'orders|3000|0|0|0|0 stock|3000|0|0|0|0', 'and takes them when what they need is there');
same('a trigger', qw(orders stock));
is(on_b("INSERT INTO data.stock VALUES (3001); INSERT INTO data.orders (v) VALUES ('next') RETURNING id"), '3001', 'the sequence is behind what came in by a retry');

# Strategies: a row that fails and then comes in counts as what it has become.
on_b(q(SELECT data.reset(); DELETE FROM data.stock; UPDATE data.orders SET v = 'old' WHERE false));
on_a(q(UPDATE data.orders SET v = 'new' WHERE id <= 10; DELETE FROM data.orders WHERE id > 100; DELETE FROM data.stock WHERE id > 100; DELETE FROM data.stock WHERE id = 3));
on_b(q(DELETE FROM data.orders WHERE id BETWEEN 91 AND 100 OR id > 100));
is(transfer('orders stock', 'batch_size => 1, retries => 3, max_errors => 1, strategy => \'overwrite\', mode => \'full\''), 'orders|10|9|80|0|1 stock|99|0|0|0|0', 'created, updated, equal, failed: the counts are exact');
on_a(q(TRUNCATE data.orders; INSERT INTO data.orders SELECT i, repeat('x', 140000) FROM generate_series(1, 3) i));
on_b(q(SELECT data.reset(); DELETE FROM data.stock; DELETE FROM data.orders));
is(transfer('orders stock', 'batch_size => 1, retries => 10, max_errors => 1, mode => \'full\'', what => $listed), '3 3 no stock of 3, try 6', 'the error that is listed is that of the last try');
is(on_b('SELECT data.tried(2), data.tried(3)'), '3|6', 'tried by the load, by a pass that brought others, by one that brought nothing');
refused('orders', "retries => $_", '22023', qr/argument "retries" must be between 0 and 10/, "retries $_") foreach -1, 11;
refused('orders', 'retries => NULL', '22004', qr/retries/, 'no retries');
is(transfer('orders stock', 'dry_run => true, retries => 3'), transfer('orders stock', 'dry_run => true'), 'a dry run writes nothing that could fail');
fails_with($b, "SET ROLE loader;\n" . pull_script($a, q(SELECT error_count FROM sync_transfer(:c, 'data.orders', retries => 3);)), 'P0001', qr/no stock of 3, try/, 'sync_transfer');

# Deltas: only rows that differ move, and these are tried again.
on_a(q(INSERT INTO data.orders SELECT i, 'o' || i FROM generate_series(4, 50) i));
on_b(q(DELETE FROM data.stock WHERE id <> 2));
is(transfer('orders stock', "mode => 'delta', retries => 2, max_errors => 1"), 'orders|47|0|2|0|1 stock|98|0|1|0|0', 'compared first');

# ---- max_errors, and rows that cannot be tried again ----------------------------------------------

tables($stock, $waiting . 'ALTER TABLE orders ADD n int');
on_a('ALTER TABLE data.orders ADD n text; INSERT INTO data.orders SELECT i, NULL, NULL, i FROM generate_series(1, 5) i; INSERT INTO data.stock SELECT generate_series(1, 5)');
is(transfer('orders stock', 'retries => 1'), 'orders|5|0|0|0|0 stock|5|0|0|0|0', 'kept rows do not count against max_errors');
on_b('SELECT data.reset(); TRUNCATE data.orders, data.stock');
on_a(q(TRUNCATE data.orders; INSERT INTO data.orders SELECT i, NULL, NULL, CASE i WHEN 2 THEN 'two' ELSE i::text END FROM generate_series(1, 5) i; DELETE FROM data.stock WHERE id = 4));
refused('orders stock', 'retries => 1', '22P02', qr/invalid input syntax for type integer: "two".*1 row has failed/s, 'a value that cannot be read counts at once');
refused('orders stock', 'retries => 1, max_errors => 1', '22P02', qr/2 rows have failed, more than max_errors => 1/s, 'and with those that are left');
is(transfer('orders stock', 'retries => 1, max_errors => 2'), 'orders|3|0|0|0|2 stock|4|0|0|0|0', 'both kinds');
on_b('TRUNCATE data.orders, data.stock');
like(transfer('orders stock', 'retries => 1, max_errors => 2', what => $listed), qr/^2 2 invalid input.*, 4 4 no stock of 4/, 'both are listed');

# ---- foreign keys, new keys, what is filled in later ------------------------------------------------

# Lines fail because their orders do; in a pass they come after these.
tables($stock . q(; CREATE TABLE line (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "order" int NOT NULL REFERENCES orders, prev int REFERENCES line)), $waiting);
on_a(q(INSERT INTO data.orders SELECT i, 'o' || i, i FROM generate_series(1, 15) i; INSERT INTO data.stock SELECT generate_series(1, 20);
	INSERT INTO data.line SELECT 100 + i, i, NULLIF(101 + i, 116) FROM generate_series(1, 15) i ORDER BY i DESC));
foreach my $role ('loader', 'postgres')
{
	on_b('TRUNCATE data.orders, data.stock, data.line');
	is(transfer('line orders stock', 'retries => 1, max_errors => 3, batch_size => 4', role => $role), 'orders|15|0|0|0|0 line|15|0|0|0|0 stock|20|0|0|0|0', "$role: lines of orders that fail");
	same("lines, $role", qw(line orders stock));
}
on_b('TRUNCATE data.orders, data.stock, data.line');
on_b('INSERT INTO data.stock SELECT generate_series(1, 20)');
on_b(q(INSERT INTO data.orders (id, v) SELECT i, 'own' FROM generate_series(1, 5) i; INSERT INTO data.line (id, "order") SELECT i, i FROM generate_series(1, 5) i; DELETE FROM data.stock;
	ALTER TABLE data.orders ALTER id RESTART 6; ALTER TABLE data.line ALTER id RESTART 501));
is(transfer('line orders stock', "retries => 1, strategy => 'append', strategies => '{\"data.stock\": \"skip\"}', batch_size => 4"), 'orders|15|0|0|0|0 line|15|0|0|0|0 stock|20|0|0|0|0', 'append: new keys');
is(on_b(q(SELECT count(*), count(o.id), count(p.id), count(*) FILTER (WHERE o.v IS DISTINCT FROM 'own' AND l.id > 500 AND (p.id IS NULL OR p."order" <> l."order" AND p.id > 500))
	FROM data.line l JOIN data.orders o ON o.id = l."order" LEFT JOIN data.line p ON p.id = l.prev)), '20|20|14|15', 'the lines refer to the new orders, and to each other');
is(on_b(q(SELECT string_agg(substr(o.v, 2) || '>' || coalesce(substr(po.v, 2), ''), ' ' ORDER BY substr(o.v, 2)::int) FROM data.line l JOIN data.orders o ON o.id = l."order"
	LEFT JOIN data.line p ON p.id = l.prev LEFT JOIN data.orders po ON po.id = p."order" WHERE o.v <> 'own')), join(' ', (map { $_ . '>' . ($_ + 1) } 1 .. 14), '15>'), 'each to the one that it referred to there');
# One order never comes: its line refers to what has not arrived, and says so.
on_a('DELETE FROM data.stock WHERE id = 7');
on_b('TRUNCATE data.orders, data.stock, data.line');
is(transfer('line orders stock', "retries => 5, max_errors => 1, strategy => 'append', strategies => '{\"data.stock\": \"skip\"}', exclude => '{data.line}'"), 'orders|14|0|0|0|1 stock|19|0|0|0|0', 'append: one is left');
on_b('TRUNCATE data.orders, data.stock, data.line');
on_a('UPDATE data.line SET prev = NULL');
like(transfer('line orders stock', "retries => 5, max_errors => 1, strategy => 'append', strategies => '{\"data.stock\": \"skip\"}'", what => $listed), qr/^7 7 no stock of 7, try\S* \S*; 9 107 the row refers to a row that has not arrived in table "data.orders"$/, 'and who refers to it');
is(on_b('SELECT count(*), (SELECT count(*) FROM data.orders) FROM data.line'), '14|14', 'the others have come');

# ---- mirror ------------------------------------------------------------------------------------------

tables($stock . q(; ALTER TABLE orders ADD UNIQUE (v)), $waiting);
on_a(q(INSERT INTO data.orders SELECT i, 'o' || i FROM generate_series(1, 10) i; INSERT INTO data.stock SELECT generate_series(1, 10)));
on_b(q(INSERT INTO data.stock SELECT generate_series(15, 18); INSERT INTO data.orders VALUES (15, 'o3'), (16, 'other')));
is(transfer('orders stock', q(retries => 1, strategy => 'mirror')), 'orders|10|0|0|2|0 stock|10|0|0|4|0', 'mirror deletes when all rows are there');
same('mirror', qw(orders stock));
on_a('DELETE FROM data.stock WHERE id = 3');
on_b(q(DELETE FROM data.orders WHERE id = 3; INSERT INTO data.stock VALUES (17); INSERT INTO data.orders VALUES (17, 'other'); DELETE FROM data.stock));
refused('orders stock', q(retries => 1, strategy => 'mirror', max_errors => 1), '0A000', qr/rows of table "data.orders" have failed, so none may be deleted/, 'not where one is left');
is(on_b('SELECT count(*) FROM data.orders WHERE id = 17'), '1', 'it is there still');

# ---- it can be watched and cancelled, and asked of a job ---------------------------------------------

tables($stock, $waiting);
on_a(q(INSERT INTO data.orders SELECT i, 'o' || i FROM generate_series(1, 10) i; INSERT INTO data.stock SELECT generate_series(1, 10)));
my $site = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
my $uuid = on_b(q(SELECT sync_transfer_async('main', tables => '{data.orders,data.stock}', retries => 2)));
wait_for(sub { on_b("SELECT status FROM sync_transfers WHERE uuid = '$uuid'") =~ /completed|failed/ }, 'a job has ended');
is(on_b("SELECT status, records_created, records_failed, job->'options'->'retries' FROM sync_transfers WHERE uuid = '$uuid'"), 'completed|20|0|2', 'a job');
on_b('TRUNCATE data.orders, data.stock');
on_b(q(CREATE FUNCTION data.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
	CREATE TRIGGER z BEFORE INSERT ON data.orders FOR EACH ROW EXECUTE FUNCTION data.slow()));
my $running = background($b, "SET ROLE loader;\n" . pull_script($a, q(SELECT sync_transfer_all(:c, '{data.orders,data.stock}', retries => 2);)));
wait_for(sub { on_b('SELECT table_name, phase, rows_total FROM sync_progress()') eq 'data.orders|trying again|10' }, 'it tries again');
is(on_b('SELECT pg_cancel_backend(pid) FROM sync_progress()'), 't', 'cancelled');
finished($running);
like($running->{err}, qr/canceling statement due to user request/, 'it ends');
is(on_b('SELECT count(*) FROM data.stock'), '0', 'and nothing is there');
on_b('DROP TRIGGER z ON data.orders');

# ---- nothing is fetched again ---------------------------------------------------------------------------

my @columns = (column('id', 'integer', nullable => JSON::PP::false), column('v', 'text'));
my $phoenix = start_sender({ codes => { RETRYES2 => {} }, tables => {
			orders => { columns => \@columns, key => ['id'], rows => [ map { qq({"id":$_,"v":"o$_"}) } 1 .. 10 ] },
			stock => { columns => [ $columns[0] ], key => ['id'], rows => [ map { qq({"id":$_}) } 1 .. 9 ] } } });
on_b(q(CREATE FUNCTION data.also() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO data.stock VALUES (NEW.id); RETURN NEW; END $$;
	CREATE TABLE public.orders (LIKE data.orders INCLUDING ALL); CREATE TABLE public.stock (LIKE data.stock INCLUDING ALL); TRUNCATE data.stock;
	CREATE TRIGGER t BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION data.need_stock();
	CREATE TRIGGER t BEFORE INSERT ON public.stock FOR EACH ROW EXECUTE FUNCTION data.also()));
is($b->safe_psql('postgres', "SELECT $counts FROM sync_pull('$phoenix->{socket}/phoenix_kit', 'RETRYES2', tables => '{orders,stock}', retries => 5, max_errors => 1)"),
	'orders|9|0|0|0|1 stock|9|0|0|0|0', 'of a PhoenixKit site');
is(scalar(() = sender_log($phoenix) =~ /request:records/g), 2, 'each row has been fetched once');

no_leftovers($_, $_->name) foreach $a, $b;
done_testing();
