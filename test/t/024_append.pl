# Strategy append: new keys here, and references that follow them.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver');

sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub on_a { return $a->safe_psql('postgres', $_[0]); }

sub transfer_all
{
	my ($options) = @_;
	return run_script($b, $a, "SELECT string_agg(concat_ws('|', table_name, created, updated, skipped, error_count), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, $options);");
}

# What the rows say to each other, whatever their keys.
my $story = q(SELECT string_agg(concat_ws(' ', c.name, '<', p.name, '(', g.name, ')'), E'\n' ORDER BY c.name, p.name)
	FROM customer p LEFT JOIN customer g ON g.id = p.invited_by JOIN purchase o ON o.customer = p.id JOIN purchase_line l ON l.purchase = o.id JOIN thing c ON c.id = l.thing);

my $shop = q(CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, invited_by int);
	CREATE TABLE thing (id bigserial PRIMARY KEY, name text);
	CREATE TABLE purchase (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer int NOT NULL, note text);
	CREATE TABLE purchase_line (purchase uuid, line int, thing bigint NOT NULL, PRIMARY KEY (line, purchase)););
my $keys = q(ALTER TABLE customer ADD FOREIGN KEY (invited_by) REFERENCES customer; ALTER TABLE purchase ADD FOREIGN KEY (customer) REFERENCES customer;
	ALTER TABLE purchase_line ADD FOREIGN KEY (purchase) REFERENCES purchase, ADD FOREIGN KEY (thing) REFERENCES thing;);
$_->safe_psql('postgres', $shop . $keys) foreach ($a, $b);
on_a(q(INSERT INTO customer (name) SELECT 'customer ' || i FROM generate_series(1, 600) i; UPDATE customer SET invited_by = 601 - id WHERE id > 5;
	INSERT INTO thing (name) SELECT 'thing ' || i FROM generate_series(1, 50) i;
	INSERT INTO purchase (customer, note) SELECT i, 'p' || i FROM generate_series(1, 600) i;
	INSERT INTO purchase_line SELECT p.id, n, 1 + (row_number() OVER ()) % 50 FROM purchase p, generate_series(1, 2) n));
# Other rows are here already, under the same keys.
on_b(q(INSERT INTO customer (name) SELECT 'mine ' || i FROM generate_series(1, 100) i; INSERT INTO thing (name) SELECT 'mine ' || i FROM generate_series(1, 100) i));
my $told = on_a($story);
is(transfer_all(q(strategy => 'append', batch_size => 97)), 'customer|600|0|0|0 purchase|600|0|0|0 purchase_line|1200|0|0|0 thing|50|0|0|0', 'all tables appended');
is(on_b($story), $told, 'and they tell the same story');
is(on_b(q(SELECT count(*), min(id), max(id) FROM customer WHERE name LIKE 'customer%')), '600|101|700', 'under new keys');
is(on_b(q(SELECT count(*) FROM customer WHERE name LIKE 'mine%' AND invited_by IS NULL)), '100', 'what was here is as it was');
is(on_b(q(SELECT array_agg(DISTINCT line) FROM purchase_line)), '{1,2}', 'the line in an order keeps its number');
my $note = $told;
is(transfer_all(q(strategy => 'append')), 'customer|600|0|0|0 purchase|600|0|0|0 purchase_line|1200|0|0|0 thing|50|0|0|0', 'once more');
is(on_b($story), join("\n", map { ($_, $_) } split(/\n/, $told)), 'everything is there twice');

# Appended parents of rows that are overwritten; parents that are not appended keep their keys.
on_b('TRUNCATE customer, thing, purchase, purchase_line');
is(transfer_all(q(strategy => 'overwrite', strategies => '{"customer": "append"}')), 'customer|600|0|0|0 purchase|600|0|0|0 purchase_line|1200|0|0|0 thing|50|0|0|0', 'only one table appended');
is(on_b($story), $told, 'the story');
is(on_b('SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM thing'), on_a('SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM thing'), 'the others have their keys');

# Referenced tables that are not part of the call.
on_b('TRUNCATE customer, thing, purchase, purchase_line');
transfer_all(q('{customer}', strategy => 'skip'));
my ($ret, $out, $err) = $b->psql('postgres', pull_script($a, q(SELECT created FROM sync_transfer(:c, 'purchase', strategy => 'append');)));
is($out, '600', 'a table on its own');
like($err, qr/NOTICE:  values of foreign key "purchase_customer_fkey" of table "purchase" are taken as they are/, 'refers to the keys as they came');
is(on_b('SELECT count(*) FROM purchase p JOIN customer c ON c.id = p.customer WHERE $$p$$ || substr(c.name, 10) = p.note'), '600', 'which are right here');

# A parent that fails takes its children along, as errors, and nobody else's.
on_b(q(TRUNCATE customer, thing, purchase, purchase_line; ALTER TABLE thing ADD CONSTRAINT no_thing CHECK (name <> 'thing 7')));
on_b('INSERT INTO thing (id, name) VALUES (7, $$wrong one$$)');
is(transfer_all(q(strategy => 'append', max_errors => 1000)), 'customer|600|0|0|0 purchase|600|0|0|0 purchase_line|1176|0|0|24 thing|49|0|0|1', 'a parent that fails');
is(on_b(q(SELECT count(*) FROM purchase_line l JOIN thing t ON t.id = l.thing WHERE t.name = 'wrong one')), '0', 'no child goes to another one');
is( run_script($b, $a, q(SELECT (errors->0->>'sqlstate'), errors->0->>'message' FROM sync_transfer_all(:c, strategy => 'append', max_errors => 1000) WHERE table_name = 'purchase_line';)),
	'23503|the row refers to a row that has not arrived in table "thing"', 'which says so');
on_b('ALTER TABLE thing DROP CONSTRAINT no_thing');

# Triggers that drop rows, or give them keys of their own.
on_b(q(TRUNCATE customer, thing, purchase, purchase_line;
	CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.name = 'thing 3' THEN RETURN NULL; END IF; NEW.id := NEW.id * 1000; RETURN NEW; END $$;
	CREATE TRIGGER meddle BEFORE INSERT ON thing FOR EACH ROW EXECUTE FUNCTION meddle()));
is(transfer_all(q(strategy => 'append', max_errors => 1000, batch_size => 10)), 'customer|600|0|0|0 purchase|600|0|0|0 purchase_line|1176|0|0|24 thing|49|0|1|0', 'a trigger that drops a row and changes keys');
is(on_b(q(SELECT count(*) FROM purchase_line l JOIN thing t ON t.id = l.thing WHERE t.id % 1000 = 0)), '1176', 'references follow');
on_b('DROP TRIGGER meddle ON thing');

# ---- cycles --------------------------------------------------------------------------------------

on_b('TRUNCATE customer, thing, purchase, purchase_line');
my $cycle = q(CREATE TABLE dept (id serial PRIMARY KEY, name text, boss int); CREATE TABLE emp (id serial PRIMARY KEY, name text, dept int NOT NULL);
	ALTER TABLE dept ADD FOREIGN KEY (boss) REFERENCES emp DEFERRABLE; ALTER TABLE emp ADD FOREIGN KEY (dept) REFERENCES dept);
$_->safe_psql('postgres', $cycle) foreach ($a, $b);
on_a(q(INSERT INTO dept (name) SELECT 'd' || i FROM generate_series(1, 300) i; INSERT INTO emp (name, dept) SELECT 'e' || i, 301 - i FROM generate_series(1, 300) i; UPDATE dept SET boss = id));
on_b(q(INSERT INTO dept (name) SELECT 'mine' FROM generate_series(1, 10)));
my $bosses = q(SELECT string_agg(d.name || b.name || e.name, ' ' ORDER BY d.name) FROM dept d JOIN emp b ON b.id = d.boss JOIN emp e ON e.dept = d.id);
is(transfer_all(q('{dept,emp}', strategy => 'append', batch_size => 50)), 'dept|300|0|0|0 emp|300|0|0|0', 'a cycle');
is(on_b($bosses), on_a($bosses), 'is the same cycle here');
is(transfer_all(q('{dept,emp}', strategy => 'append', triggers => 'skip')), 'dept|300|0|0|0 emp|300|0|0|0', 'without triggers');
is(on_b('SELECT count(*) FROM dept d JOIN emp e ON e.dept = d.id AND e.id > 300 JOIN emp b ON b.id = d.boss AND b.id > 300'), '300', 'too');
on_b('TRUNCATE dept, emp; ALTER TABLE dept ALTER boss SET NOT NULL');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{dept,emp}', strategy => 'append');)), '0A000', qr/form a cycle/, 'a cycle in which nothing may be null');

# ---- foreign keys that say the same ----------------------------------------------------------------

$_->safe_psql('postgres', q(CREATE TABLE payer (id serial PRIMARY KEY, name text);
	CREATE TABLE paid (at date, payer int) PARTITION BY RANGE (at);
	CREATE TABLE paid_1 PARTITION OF paid FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	CREATE TABLE paid_2 PARTITION OF paid FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
	CREATE TABLE paid_3 PARTITION OF paid DEFAULT;
	ALTER TABLE paid_1 ADD FOREIGN KEY (payer) REFERENCES payer; ALTER TABLE paid_2 ADD FOREIGN KEY (payer) REFERENCES payer;
	CREATE TABLE owes (id serial PRIMARY KEY, payer int, FOREIGN KEY (payer) REFERENCES payer, FOREIGN KEY (payer) REFERENCES payer ON DELETE CASCADE))) foreach ($a, $b);
on_a(q(INSERT INTO payer (name) SELECT 'p' || i FROM generate_series(1, 9) i; INSERT INTO owes (payer) SELECT 10 - i FROM generate_series(1, 9) i;
	INSERT INTO paid (at, payer) SELECT y, i FROM generate_series(1, 9) i, unnest('{2024-05-01,2025-05-01,2027-05-01}'::date[]) y));
on_b(q(INSERT INTO payer (name) SELECT 'mine' FROM generate_series(1, 20)));
is(transfer_all(q('{payer,paid,owes}', strategy => 'append')), 'owes|9|0|0|0 paid|27|0|0|0 payer|9|0|0|0', 'two foreign keys of a table, and one of each of two partitions');
my $payers = q(SELECT string_agg(concat_ws(' ', a.at, o.id, p.name), ',' ORDER BY a.at, o.id) FROM payer p JOIN paid a ON a.payer = p.id JOIN owes o ON o.payer = p.id);
is(on_b($payers), on_a($payers), 'are followed once, also where a partition has none');

# ---- shapes for which there is no map -------------------------------------------------------------

$_->safe_psql('postgres', q(CREATE TABLE coded (id serial PRIMARY KEY, code text UNIQUE); CREATE TABLE by_code (id serial PRIMARY KEY, code text REFERENCES coded (code));
	CREATE TABLE pair (a serial, b serial, PRIMARY KEY (a, b), UNIQUE (b)); CREATE TABLE of_pair (id serial PRIMARY KEY, b int REFERENCES pair (b));
	CREATE TABLE fixed (id int PRIMARY KEY))) foreach ($a, $b);
on_a(q(INSERT INTO coded (code) VALUES ('a'), ('b'); INSERT INTO by_code (code) VALUES ('b'); INSERT INTO pair VALUES (5, 6); INSERT INTO of_pair (b) VALUES (6); INSERT INTO fixed VALUES (1)));
on_b(q(SELECT setval('coded_id_seq', 50)));
is(transfer_all(q('{coded,by_code}', strategy => 'append')), 'by_code|1|0|0|0 coded|2|0|0|0', 'a reference to another key than the one that changes');
is(on_b('SELECT b.code, c.id FROM by_code b JOIN coded c USING (code)'), 'b|52', 'stays');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{pair,of_pair}', strategy => 'append');)), '0A000', qr/cannot give new keys to the rows of table "pair".*"of_pair_b_fkey"/s, 'a reference to a part of the key');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c, '{fixed}', strategy => 'append');)), '0A000', qr/has no default/, 'a key that new values can come from nowhere for');
is(run_script($b, $a, q(SELECT created FROM sync_transfer_all(:c, '{coded,by_code,customer}', strategy => 'append', dry_run => true) ORDER BY table_name;)), "1\n2\n600", 'a dry run');

# Nothing of it is left in the backend.
is( run_script($b, $a, q(BEGIN; SELECT count(*) FROM sync_transfer_all(:c, '{dept,emp}', strategy => 'append', triggers => 'skip', dry_run => true); SAVEPOINT s; SELECT created FROM sync_transfer(:c, 'coded', strategy => 'append', local_table => 'coded2'); ROLLBACK TO s; COMMIT; SELECT to_regclass('coded2') IS NULL;)),
	"2\n2\nt", 'in a subtransaction that is rolled back');

no_leftovers($a, 'in the end');
done_testing();
