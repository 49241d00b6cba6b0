# match: keys that are made of references, values that cannot be held here, rows that are equal among
# the peer's, and values that move while rows are matched.
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
sub on_both { on_a($_[0]); on_b($_[0]); return; }
sub transfer_all
{
	my ($options) = @_;
	return eval { run_script($b, $a, "SELECT string_agg(concat_ws('|', table_name, created, updated, skipped, error_count), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, $options);") } // $@;
}
sub errors_of
{
	my ($options) = @_;
	return eval { run_script($b, $a, "SELECT string_agg(concat_ws(' ', e->>'position', e->>'key', e->>'sqlstate', e->>'message'), E'\\n' ORDER BY table_name, (e->>'position')::int) FROM sync_transfer_all(:c, $options), jsonb_array_elements(errors) e;") } // $@;
}
sub refused
{
	my ($options, $sqlstate, $text, $name) = @_;
	return fails_with($b, pull_script($a, "SELECT sync_transfer_all(:c, $options);"), $sqlstate, $text, $name);
}

# ---- values that a column cannot hold -------------------------------------------------------------

# The types of a key and of what refers to it, the key here of the person who is the peer's first, that
# of somebody else here, which a cast might make of it, and what is said then.
on_both('CREATE DOMAIN small AS int CHECK (VALUE < 1000); CREATE DOMAIN short AS varchar(3)');
my @narrow = (
	[ 'int', 'small', '5000', '78', '23514', 'value for domain small violates check constraint "small_check"' ],
	[ 'bigint', 'int', '3000000000', '78', '22003', 'integer out of range' ],
	[ 'numeric', 'int', '77.5', '78', '22000', 'a column cannot hold the key here of the row that it refers to' ],
	[ 'text', 'varchar(3)', "'abcdef'", "'abc'", '22001', 'value too long for type character varying(3)' ],
	[ 'text', 'short', "'abcdef'", "'abc'", '22000', 'a column cannot hold the key here of the row that it refers to' ]);
foreach my $kind (@narrow)
{
	my ($wide, $narrow, $first, $other, $sqlstate, $message) = @$kind;
	my $name = "$narrow to $wide";
	on_both(qq(DROP TABLE IF EXISTS pet, person; CREATE TABLE person (id $wide PRIMARY KEY, email text UNIQUE);
		CREATE TABLE pet (id int PRIMARY KEY, owner $narrow NOT NULL REFERENCES person)));
	on_a(qq(INSERT INTO person SELECT i::text::$wide, 'p' || i FROM generate_series(1, 9) i; INSERT INTO pet SELECT i, (i % 9 + 1)::text::$narrow FROM generate_series(1, 40) i));
	on_b(qq(INSERT INTO person VALUES ($first, 'p1'), ($other, 'other')));
	my $all = q('{person,pet}', match => 'unique');
	refused("$all, max_errors => 3", $sqlstate, qr/\Q$message\E/, "$name: more rows than may fail");
	is(errors_of("$all, max_errors => 4, retries => 2"), join("\n", map { qq($_ {"id": $_} $sqlstate $message) } 9, 18, 27, 36), "$name: rows fail, each time they are tried");
	on_b("TRUNCATE pet");
	is(transfer_all("$all, max_errors => 4"), 'person|0|0|9|0 pet|36|0|0|4', "$name: the others do not");
	is(on_b('SELECT string_agg(i::text, $$,$$ ORDER BY i) FROM generate_series(1, 40) i WHERE i NOT IN (SELECT id FROM pet)'), '9,18,27,36', "$name: it is those");
	is(on_b("SELECT count(*) FROM pet WHERE owner = $other"), '0', "$name: and none refers to somebody else");
}

# In a table that refers to itself: when its rows come, and when they are filled in.
on_both('CREATE TABLE node (id bigint PRIMARY KEY, name text UNIQUE, up int NOT NULL REFERENCES node)');
on_a(q(INSERT INTO node VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 3)));
on_b(q(INSERT INTO node VALUES (7, 'x', 7), (3000000000, 'a', 7)));
refused(q('{node}', match => 'unique'), '22003', qr/integer out of range/, 'a self reference');
is(transfer_all(q('{node}', match => 'unique', max_errors => 1)), 'node|1|0|1|1', 'is an error of its row');
# A row as large as this one is a batch of its own, if batch_size is 1.
on_both(q(DROP TABLE node; CREATE TABLE node (id numeric PRIMARY KEY, name text UNIQUE, up int REFERENCES node, pad text DEFAULT repeat('x', 200000))));
on_a(q(INSERT INTO node VALUES (2, 'b', 1), (1, 'a', NULL)));
on_b(q(INSERT INTO node VALUES (6.5, 'a', NULL), (7, 'x', NULL)));
refused(q('{node}', match => 'unique', max_errors => 1, batch_size => 1), '22000', qr/columns of table "node" cannot hold the keys here of rows that they refer to/, 'one that is filled in');
is(transfer_all(q('{node}', match => 'unique', max_errors => 1)), 'node|0|0|1|1', 'one that is known when the row comes');

# ---- rows that are told apart by what they refer to ------------------------------------------------

# A tree whose nodes have a name below their parent, and only the root is known by more. Their keys
# are 9000 and more, ours are less. Its shape is that of a random one.
on_both(q(SET check_function_bodies = off; CREATE FUNCTION paths() RETURNS TABLE (path text, id int) LANGUAGE sql AS
	$$WITH RECURSIVE down AS (SELECT name AS path, id FROM folder WHERE code = 'root'
		UNION ALL SELECT d.path || '/' || f.name, f.id FROM down d JOIN folder f ON f.parent = d.id AND f.id <> d.id) SELECT path, id FROM down$$));
my $all_paths = q(SELECT string_agg(path, ' ' ORDER BY path COLLATE "C") FROM paths());
# All of a batch come at once; rows of their own with 'x' as their last argument are batches.
sub make_folders
{
	my ($null, $order, $pad) = @_;
	on_both(qq(DROP TABLE IF EXISTS folder CASCADE;
		CREATE TABLE folder (id int GENERATED BY DEFAULT AS IDENTITY (START 5000) PRIMARY KEY, parent int $null REFERENCES folder, name text, code text UNIQUE, pad text, UNIQUE (parent, name))));
	my $root = $null ? 9001 : 'NULL';
	my $count = $pad ? 12 : 150;
	on_a(qq(INSERT INTO folder SELECT 9000 + i, CASE WHEN i = 1 THEN $root ELSE 9000 + (i * 7919) % (i - 1 + (i = 1)::int) + 1 END, 'n' || i, CASE WHEN i = 1 THEN 'root' END, repeat('x', $pad)
		FROM generate_series(1, $count) i ORDER BY i $order));
	# Two of three are here, with all that they are below.
	my $here = $null ? 9001 : 'NULL';
	on_b(qq(CREATE TEMP TABLE theirs (id int, parent int, name text, code text);
		INSERT INTO theirs VALUES ) . on_a(q(SELECT string_agg(format('(%s, %s, %L, %L)', id, coalesce(parent::text, 'NULL'), name, code), ', ') FROM folder)) . qq(;
		WITH RECURSIVE wanted AS (SELECT id, parent FROM theirs WHERE id % 3 <> 0 UNION SELECT t.id, t.parent FROM wanted w JOIN theirs t ON t.id = w.parent)
		INSERT INTO folder SELECT id - 8000, parent - 8000, name, code FROM theirs WHERE id IN (SELECT id FROM wanted)));
	return;
}
foreach my $case (
	[ '', '', 0 ], [ '', 'DESC', 0 ], [ 'NOT NULL', '', 0 ], [ 'NOT NULL', 'DESC', 0 ], [ '', '', 200000 ], [ 'NOT NULL', '', 200000 ])
{
	my ($null, $order, $pad) = @$case;
	my $size = $pad ? 1 : 1000;
	my $name = join(' ', 'a tree', $null || 'NULL', $order || 'ASC', $size);
	foreach my $options ("match => 'unique'", "match => 'unique', strategy => 'overwrite'", "match => 'phoenix'", ($null ? () : ("match => 'unique', strategy => 'append'")))
	{
		make_folders($null, $order, $pad);
		my $old = on_b('SELECT count(*) FROM folder');
		my $all = on_a('SELECT count(*) FROM folder');
		my $once = transfer_all("'{folder}', $options, batch_size => $size, dry_run => true");
		is($once, join('|', 'folder', $all - $old, 0, $old, 0), "$name, $options: a dry run") unless $pad;
		is(transfer_all("'{folder}', $options, batch_size => $size"), join('|', 'folder', $all - $old, 0, $old, 0), "$name, $options: rows are found below rows that are found");
		is(on_b($all_paths), on_a($all_paths), "$name, $options: all are where they belong");
		is(on_b('SELECT count(*) FROM folder WHERE id < 5000'), $old, "$name, $options: under their keys");
		is(transfer_all("'{folder}', $options, batch_size => $size"), "folder|0|0|$all|0", "$name, $options: once more, all are found");
	}
}

# What refers to a row of a later batch has to be tried again, or is refused.
make_folders('NOT NULL', 'DESC', 200000);
my $old = on_b('SELECT count(*) FROM folder');
is(transfer_all(q('{folder}', match => 'unique', batch_size => 1, mode => 'online', retries => 5)), join('|', 'folder', 12 - $old, 0, $old, 0), 'children before their parents, tried again');
is(on_b($all_paths), on_a($all_paths), 'are where they belong');
make_folders('', 'DESC', 200000);
refused(q('{folder}', match => 'unique', batch_size => 1), '23505', qr/"folder_parent_name_key"/, 'children before their parents, filled in later');

# A key in which both the tree and the node are somebody else's; what refers to such nodes.
on_both(q(CREATE TABLE forest (id int PRIMARY KEY, name text UNIQUE);
	CREATE TABLE branch (forest int REFERENCES forest, id int, up int, name text, PRIMARY KEY (forest, id), UNIQUE (forest, up, name), UNIQUE (forest, name), FOREIGN KEY (forest, up) REFERENCES branch);
	ALTER TABLE branch DROP CONSTRAINT branch_forest_name_key;
	CREATE TABLE leaf (id int PRIMARY KEY, forest int, branch int, FOREIGN KEY (forest, branch) REFERENCES branch)));
on_a(q(INSERT INTO forest VALUES (91, 'f'), (92, 'g'); INSERT INTO branch VALUES (91, 1, 1, 'r'), (91, 2, 1, 'a'), (91, 3, 2, 'b'), (91, 4, 3, 'new'), (92, 1, 1, 'r');
	INSERT INTO leaf SELECT forest * 10 + id, forest, id FROM branch));
on_b(q(INSERT INTO forest VALUES (1, 'f'); INSERT INTO branch VALUES (1, 1, 1, 'r'), (1, 22, 1, 'a'), (1, 33, 22, 'b')));
is(transfer_all(q('{leaf,branch,forest}', match => 'unique')), 'branch|2|0|3|0 forest|1|0|1|0 leaf|5|0|0|0', 'a tree in a tree');
is(on_b('SELECT string_agg(concat_ws($$ $$, forest, id, up, name), $$,$$ ORDER BY forest, id) FROM branch'), '1 1 1 r,1 4 33 new,1 22 1 a,1 33 22 b,92 1 1 r', 'is found');
is(on_b('SELECT string_agg(concat_ws($$ $$, id, forest, branch), $$,$$ ORDER BY id) FROM leaf'), '911 1 1,912 1 22,913 1 33,914 1 4,921 92 1', 'what refers to it follows');

# In one batch, rows that are found by another index and rows whose key is translated.
on_both(q(CREATE TABLE bill (id int PRIMARY KEY, number text UNIQUE);
	CREATE TABLE bill_line (bill int REFERENCES bill, line int, code text UNIQUE, PRIMARY KEY (bill, line));
	CREATE TABLE payment (id int PRIMARY KEY, bill int, line int, FOREIGN KEY (bill, line) REFERENCES bill_line)));
on_a(q(INSERT INTO bill VALUES (91, 'n1'); INSERT INTO bill_line VALUES (91, 1, 'c1'), (91, 2, 'c2'); INSERT INTO payment VALUES (1, 91, 1), (2, 91, 2)));
on_b(q(INSERT INTO bill VALUES (1, 'n1'); INSERT INTO bill_line VALUES (1, 7, 'c1')));
is(transfer_all(q('{bill,bill_line,payment}', match => 'unique')), 'bill|0|0|1|0 bill_line|1|0|1|0 payment|2|0|0|0', 'found and translated in one batch');
is(on_b('SELECT string_agg(concat_ws($$ $$, id, bill, line), $$,$$ ORDER BY id) FROM payment'), '1 1 7,2 1 2', 'both are followed');

# ---- many keys, small batches ---------------------------------------------------------------------

# What is known of other tables is not read for each batch, but for as many rows as it pays for; they
# are written in batches still.
on_both(q(CREATE TABLE client (id int PRIMARY KEY, email text UNIQUE); CREATE TABLE letter (id int PRIMARY KEY, client int NOT NULL REFERENCES client, pad text)));
on_a(q(INSERT INTO client SELECT 90000 + i, 'c' || i FROM generate_series(1, 4000) i; INSERT INTO letter SELECT i, 90001 + (i * 7) % 4000, repeat('x', 1000) FROM generate_series(1, 2050) i));
on_b(q(INSERT INTO client SELECT i, 'c' || i FROM generate_series(1, 4000) i;
	CREATE TABLE written (rows int); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO written SELECT count(*) FROM added; RETURN NULL; END$$;
	CREATE TRIGGER note AFTER INSERT ON letter REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note()));
# What a transfer has done, and how often rows were joined with such keys.
sub keys_read
{
	my ($options) = @_;
	my ($ret, $out, $err) = $b->psql('postgres', q(LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_level = 'notice';) . "\n"
		. pull_script($a, "SELECT string_agg(concat_ws('|', table_name, created, updated, skipped), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, $options);"));
	my $reads = () = $err =~ /Query Text: WITH s AS MATERIALIZED [^\n]*pgsync_map_/g;
	return ($out, $reads);
}
my ($out, $reads) = keys_read(q('{letter,client}', match => 'unique', batch_size => 100));
is($out, 'client|0|0|4000 letter|2050|0|0', 'many keys, small batches');
ok($reads >= 1 && $reads <= 5, "the keys are read for 500 rows or more: $reads times");
is(on_b('SELECT count(*), count(*) FILTER (WHERE client = 1 + (id * 7) % 4000) FROM letter'), '2050|2050', 'all rows are right');
is(on_b('SELECT max(rows) <= 100, sum(rows) FROM written'), 't|2050', 'one hundred are written by a statement');
# Also of rows that are tried again.
on_b(q(TRUNCATE letter, written; CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id % 2 = 0 AND NOT EXISTS (SELECT FROM letter WHERE id = 2049) THEN RAISE 'too early'; END IF; RETURN NEW; END$$;
	CREATE TRIGGER wait BEFORE INSERT ON letter FOR EACH ROW EXECUTE FUNCTION wait()));
is(transfer_all(q('{letter,client}', match => 'unique', batch_size => 600, retries => 2)), 'client|0|0|4000|0 letter|2050|0|0|0', 'rows that are tried again');
is(on_b('SELECT count(*), count(*) FILTER (WHERE client = 1 + (id * 7) % 4000) FROM letter'), '2050|2050', 'all of them are right');

# Likewise where all rows get new keys.
on_both(q(ALTER TABLE client ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START 200000); ALTER TABLE letter ALTER id ADD GENERATED BY DEFAULT AS IDENTITY));
on_b('TRUNCATE client, letter, written; DROP TRIGGER wait ON letter');
($out, $reads) = keys_read(q('{letter,client}', strategy => 'append', batch_size => 100));
is($out, 'client|4000|0|0 letter|2050|0|0', 'new keys');
ok($reads >= 1 && $reads <= 5, "are read for 500 rows or more: $reads times");
my $letters = q(SELECT md5(string_agg(c.email, ' ' ORDER BY l.id)) FROM letter l JOIN client c ON c.id = l.client);
is(on_b($letters), on_a($letters), 'and followed');

# ---- a dry run, and rows of the peer that are equal -----------------------------------------------

on_both(q(CREATE TABLE member (id int PRIMARY KEY, email text, name text, pad text)));
on_b(q(CREATE UNIQUE INDEX ON member (email); CREATE UNIQUE INDEX ON member (name)));
on_a(q(INSERT INTO member SELECT 90 + i, 'm' || i % 4, NULL, repeat('x', 200000) FROM generate_series(1, 8) i;
	INSERT INTO member VALUES (201, 'x', 'n', repeat('x', 200000)), (202, NULL, 'n', NULL), (203, 'm1', 'n', NULL), (204, NULL, NULL, NULL), (205, NULL, NULL, NULL)));
on_b(q(INSERT INTO member VALUES (1, 'm1')));
foreach my $options ("match => 'unique', strategy => 'overwrite'", "match => 'phoenix'", "match => 'unique'")
{
	on_b('DELETE FROM member WHERE id > 1');
	my $dry = transfer_all("'{member}', $options, batch_size => 1, dry_run => true");
	is($dry, 'member|6|0|7|0', "$options: a dry run counts rows that are equal as one");
	is(transfer_all("'{member}', $options, batch_size => 1"), $dry, "$options: as they are");
}
# A row whose key is here may get the value of another one.
on_a('TRUNCATE member');
on_a(q(INSERT INTO member VALUES (1, 'new', NULL, repeat('x', 200000)), (91, 'new', NULL, NULL)));
on_b('TRUNCATE member');
on_b(q(INSERT INTO member VALUES (1, 'old')));
foreach my $strategy (qw(overwrite skip))
{
	my $dry = transfer_all("'{member}', match => 'unique', strategy => '$strategy', batch_size => 1, dry_run => true");
	is($dry, $strategy eq 'skip' ? 'member|1|0|1|0' : 'member|0|1|1|0', "$strategy: a dry run, and a row that changes");
	is(transfer_all("'{member}', match => 'unique', strategy => '$strategy', batch_size => 1"), $dry, "$strategy: as it is");
	on_b(q(TRUNCATE member; INSERT INTO member VALUES (1, 'old')));
}

# ---- values that move -----------------------------------------------------------------------------

# The peer's 91 has the value that 1 has here, until the peer's 1 comes.
on_both(q(CREATE TABLE holder (id int PRIMARY KEY, badge text, note text, pad text); CREATE TABLE visit (id int PRIMARY KEY, holder int REFERENCES holder)));
on_b('CREATE UNIQUE INDEX ON holder (badge)');
foreach my $strategy (qw(overwrite merge))
{
	my $all = "'{holder,visit}', match => 'unique', strategy => '$strategy', batch_size => 1";
	my $fill = sub {
		my ($rows) = @_;
		on_a("TRUNCATE holder, visit; INSERT INTO holder SELECT id, badge, note, repeat('x', 200000) FROM (VALUES $rows) AS v (id, badge, note); INSERT INTO visit SELECT id, id FROM holder");
		on_b(q(TRUNCATE holder, visit; INSERT INTO holder VALUES (1, 'a'), (2, 'b')));
	};
	$fill->("(91, 'a', 'new'), (1, 'c', 'old')");
	refused($all, '0A000', qr/unique values of table "holder" move from row to row.*A row of the peer was taken for the one with key \{"id": 1\}.*HINT:.*strategy skip/s, "$strategy: the row that is found loses the value");
	is(on_b('SELECT string_agg(id || badge, $$ $$ ORDER BY id) FROM holder'), '1a 2b', "$strategy: nothing has changed");
	$fill->("(1, 'c', 'old'), (91, 'a', 'new')");
	is(transfer_all($all), 'holder|1|1|0|0 visit|2|0|0|0', "$strategy: it has lost it before");
	is(on_b('SELECT string_agg(v.id || h.badge, $$ $$ ORDER BY v.id) FROM visit v JOIN holder h ON h.id = v.holder'), '1c 91a', "$strategy: all is well");
	# 1 waits for the value of 2, and 91 is taken for 2 meanwhile.
	$fill->("(1, 'b', 'waits'), (91, 'b', 'same'), (2, 'd', 'old')");
	refused($all, '0A000', qr/with key \{"id": 2\}/, "$strategy: the row that is found waits for another one");
	# What else changes does no harm.
	$fill->("(91, 'a', 'new'), (1, 'a', 'changed'), (2, 'd', 'changed')");
	is(transfer_all($all), 'holder|0|2|1|0 visit|3|0|0|0', "$strategy: another column changes");
	is(on_b('SELECT string_agg(concat(v.id, h.id, h.note), $$ $$ ORDER BY v.id) FROM visit v JOIN holder h ON h.id = v.holder'), '11changed 22changed 911changed', "$strategy: rightly");
}

no_leftovers($a, 'in the end');
done_testing();
