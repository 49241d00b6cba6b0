# match: rows that are here under another key are recognized by other unique columns, and what
# refers to them follows.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncPeers;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "sync.max_connections = 20\n");
my $b = new_sync_node('receiver', conf => "sync.allowed_peers = 'localhost'\n");

sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub on_a { return $a->safe_psql('postgres', $_[0]); }
sub on_both { on_a($_[0]); on_b($_[0]); return; }
sub transfer_all
{
	my ($options) = @_;
	return run_script($b, $a, "SELECT string_agg(concat_ws('|', table_name, created, updated, skipped, error_count), ' ' ORDER BY table_name) FROM sync_transfer_all(:c, $options);");
}
sub refused
{
	my ($options, $sqlstate, $text, $name) = @_;
	return fails_with($b, pull_script($a, "SELECT sync_transfer_all(:c, $options);"), $sqlstate, $text, $name);
}

# ---- keys of each kind ----------------------------------------------------------------------------

# The same people, with keys that have nothing to do with each other: ours begin with 1, theirs with 9.
my %keys = (
	uuid => q(0000000-0000-0000-0000-' || lpad(i::text, 12, '0')),
	int => q(' || lpad(i::text, 6, '0')),
	text => q( key ''"' || i));
foreach my $type (sort keys %keys)
{
	my $people = "people_$type";
	my $orders = "order_$type";
	my ($ours, $theirs) = map { "('$_$keys{$type})::$type" } (1, 9);
	on_both(qq(CREATE TABLE $people (id $type PRIMARY KEY, email text UNIQUE, name text);
		CREATE TABLE $orders (id int PRIMARY KEY, buyer $type NOT NULL REFERENCES $people, payer $type REFERENCES $people)));
	on_a(qq(INSERT INTO $people SELECT $theirs, 'p' || i || '\@x', 'theirs ' || i FROM generate_series(1, 300) i;
		INSERT INTO $people SELECT $theirs, NULL, 'nobody' FROM generate_series(999, 999) i;
		INSERT INTO $orders SELECT i, $theirs FROM generate_series(1, 300) i;
		UPDATE $orders o SET payer = p.id FROM $people p WHERE p.email = 'p' || (301 - o.id) || '\@x' AND o.id > 5));
	# Half of the people are here, and somebody without an e-mail.
	on_b(qq(INSERT INTO $people SELECT $ours, 'p' || i || '\@x', 'ours ' || i FROM generate_series(1, 300, 2) i;
		INSERT INTO $people SELECT $ours, NULL, 'nobody' FROM generate_series(999, 999) i));
	my $story = qq(SELECT string_agg(concat_ws(' ', o.id, b.email, p.email), ',' ORDER BY o.id) FROM $orders o JOIN $people b ON b.id = o.buyer LEFT JOIN $people p ON p.id = o.payer);

	my $dry = transfer_all(qq('{$people,$orders}', match => 'unique', dry_run => true));
	is($dry, "$orders|300|0|0|0 $people|151|0|150|0", "$type: a dry run");
	is(on_b("SELECT count(*) FROM $people"), '151', "$type: writes nothing");
	refused(qq('{$people,$orders}'), '23505', qr/"${people}_email_key"/, "$type: without match");
	is(transfer_all(qq('{$people,$orders}', match => 'unique', batch_size => 70)), $dry, "$type: parents that are here are not written");
	is(on_b($story), on_a($story), "$type: children point to them, by both foreign keys");
	is(on_b("SELECT count(*) FILTER (WHERE name LIKE 'ours%' AND id::text LIKE '1%'), count(*) FILTER (WHERE name LIKE 'theirs%' AND id::text LIKE '9%'), count(*) FILTER (WHERE name = 'nobody') FROM $people"),
		'150|150|2', "$type: each has the key that it had; nulls are not equal");
	is(on_b("SELECT count(*) FILTER (WHERE buyer::text LIKE '1%'), count(*) FILTER (WHERE payer::text LIKE '1%') FROM $orders"), '150|148', "$type: and the children, too");
	is(transfer_all(qq('{$people,$orders}', match => 'unique', strategy => 'overwrite')), "$orders|0|0|300|0 $people|0|0|301|0", "$type: once more, nothing changes");
	is(on_b($story), on_a($story), "$type: indeed");
}

# ---- which index, and what the strategy has to say --------------------------------------------------

on_both('CREATE TABLE item (id int PRIMARY KEY, code text, serial text, name text, note text)');
# In the order of their OIDs: what does not count, then serial, then code.
on_b(q(CREATE UNIQUE INDEX ON item (name) WHERE note IS NULL; CREATE UNIQUE INDEX ON item (lower(name)) INCLUDE (note);
	CREATE UNIQUE INDEX ON item (serial); CREATE UNIQUE INDEX ON item (code) INCLUDE (name)));
on_both('CREATE TABLE part (id int PRIMARY KEY, item int REFERENCES item)');
on_a(q(INSERT INTO item VALUES (91, 'c1', 's2', 'a', 'n'), (92, 'c1', NULL, 'b', 'n'), (93, NULL, NULL, 'taken', 'n'), (4, 'c4', 's1', 'four', NULL), (94, 'c5', 's9', 'new', 'n');
	INSERT INTO part SELECT id, id FROM item));
my $here = q(INSERT INTO item VALUES (1, 'c1', 's1', 'one', 'mine'), (2, 'c2', 's2', 'two', 'mine'), (4, 'c4', 's4', 'old', 'mine'));
on_b($here);
is(transfer_all(q('{item,part}', match => 'unique')), 'item|2|0|3|0 part|5|0|0|0', 'several indexes');
is(on_b('SELECT id, item FROM part ORDER BY id'), "4|4\n91|2\n92|1\n93|93\n94|94", 'the first that finds a row counts');
is(on_b('SELECT id, name FROM item ORDER BY id'), "1|one\n2|two\n4|old\n93|taken\n94|new", 'skip leaves what is here');
on_b("TRUNCATE item, part; $here");
refused(q('{item,part}', match => 'unique', strategy => 'overwrite'), '23505', qr/"item_serial_idx"/, 'a row whose key is here is the one with that key');
on_a(q(UPDATE item SET serial = 's44' WHERE id = 4));
is(transfer_all(q('{item,part}', match => 'unique', strategy => 'overwrite')), 'item|2|1|2|0 part|5|0|0|0', 'overwrite');
is(on_b('SELECT id, name, note FROM item ORDER BY id'), "1|one|mine\n2|two|mine\n4|four|\n93|taken|n\n94|new|n", 'overwrites where the key is here, and only there');
on_b("TRUNCATE item, part; $here");
is(transfer_all(q('{item,part}', match => 'unique', strategy => 'merge', dry_run => true)), 'item|2|1|2|0 part|5|0|0|0', 'merge, dry');
is(transfer_all(q('{item,part}', match => 'unique', strategy => 'merge')), 'item|2|1|2|0 part|5|0|0|0', 'merge');
is(on_b('SELECT id, name, note FROM item WHERE id = 4'), '4|four|mine', 'merges');
on_b("TRUNCATE item, part; $here");
is(transfer_all(q('{item,part}', match => 'phoenix', strategy => 'overwrite', dry_run => true)), 'item|2|0|3|0 part|5|0|0|0', 'phoenix, dry');
is(transfer_all(q('{item,part}', match => 'phoenix', strategy => 'overwrite')), 'item|2|0|3|0 part|5|0|0|0', 'phoenix');
is(on_b('SELECT id, name, note FROM item WHERE id = 4'), '4|old|mine', 'skips what is here by its key');
is(on_b('SELECT id, item FROM part ORDER BY id'), "4|4\n91|2\n92|1\n93|93\n94|94", 'and finds the others');

# Other ideas of what is equal: those of the index.
on_both(q(CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE TABLE folded (id int PRIMARY KEY, name text, amount numeric);
	CREATE TABLE of_folded (id int PRIMARY KEY, folded int REFERENCES folded)));
on_b(q(CREATE UNIQUE INDEX ON folded (name COLLATE any_case, amount); INSERT INTO folded VALUES (1, 'Anna', 1.0), (2, 'Bert', 2)));
on_a(q(INSERT INTO folded VALUES (91, 'ANNA', 1.00), (92, 'bert', 3); INSERT INTO of_folded SELECT id, id FROM folded));
is(transfer_all(q('{folded,of_folded}', match => 'unique')), 'folded|1|0|1|0 of_folded|2|0|0|0', 'compared as the index does');
is(on_b('SELECT id, folded FROM of_folded ORDER BY id'), "91|1\n92|92", 'rightly');

# A table without a primary key: what strategies go by is the key, anything else is another one.
on_both('CREATE TABLE loose (code text NOT NULL UNIQUE, email text UNIQUE, n int)');
on_a(q(INSERT INTO loose VALUES ('x', 'x@x', 1), ('new', 'y@x', 2), ('z', 'z@x', 3)));
on_b(q(INSERT INTO loose VALUES ('x', 'other@x', 0), ('y', 'y@x', 0)));
is(transfer_all(q('{loose}', match => 'unique', strategy => 'overwrite')), 'loose|1|1|1|0', 'no primary key');
is(on_b('SELECT * FROM loose ORDER BY code'), "x|x\@x|1\ny|y\@x|0\nz|z\@x|3", 'overwritten by what is the key');

# ---- what foreign keys refer to -------------------------------------------------------------------

# By another column than the key; the row that is found may have none.
on_both(q(CREATE TABLE city (id int PRIMARY KEY, code text UNIQUE, name text UNIQUE);
	CREATE TABLE street (id int PRIMARY KEY, city text REFERENCES city (code), town int REFERENCES city);
	CREATE TABLE house (id int PRIMARY KEY, city int, code text, UNIQUE (city, code), FOREIGN KEY (city) REFERENCES city)));
on_b('ALTER TABLE city DROP CONSTRAINT city_code_key CASCADE; ALTER TABLE city ADD CONSTRAINT city_code_key UNIQUE (code); ALTER TABLE street ADD FOREIGN KEY (city) REFERENCES city (code)');
on_a(q(INSERT INTO city VALUES (91, 'T-R', 'Rome'), (92, 'T-O', 'Oslo'), (93, 'T-B', 'Bern'); INSERT INTO street VALUES (1, 'T-R', 91), (2, 'T-O', 92), (3, 'T-B', 93), (4, NULL, 91)));
on_b(q(INSERT INTO city VALUES (1, 'O-R', 'Rome'), (2, NULL, 'Oslo')));
is(transfer_all(q('{street,city}', match => 'unique')), 'city|1|0|2|0 street|4|0|0|0', 'a reference to another column');
is(on_b('SELECT * FROM street ORDER BY id'), "1|O-R|1\n2||2\n3|T-B|93\n4||1", 'takes that of the row here');

# One that is longer than the column may be is refused, as every other one.
on_both('CREATE TABLE brand (id int PRIMARY KEY, name text UNIQUE, code varchar(9) UNIQUE); CREATE TABLE model (id int PRIMARY KEY, brand varchar(3) REFERENCES brand (code))');
on_a(q(INSERT INTO brand VALUES (91, 'A', 'abc'), (92, 'B', 'def'); INSERT INTO model VALUES (1, 'abc'), (2, 'def')));
on_b(q(INSERT INTO brand VALUES (1, 'A', 'abcabcabc')));
refused(q('{model,brand}', match => 'unique'), '22001', qr/value too long for type character varying\(3\)/, 'a value that is too long');
is(transfer_all(q('{model,brand}', match => 'unique', max_errors => 1)), 'brand|1|0|1|0 model|1|0|0|1', 'is an error of its row');
is(on_b('SELECT * FROM model'), '2|def', 'alone');

# A key with a part that is re-pointed, and what refers to that.
on_both(q(CREATE TABLE deal (id int PRIMARY KEY, number text UNIQUE);
	CREATE TABLE deal_line (line int, deal int REFERENCES deal, what text, PRIMARY KEY (deal, line));
	CREATE TABLE delivery (id int PRIMARY KEY, deal int, line int, tag text, FOREIGN KEY (deal, line) REFERENCES deal_line (deal, line));
	CREATE TABLE slot (id int PRIMARY KEY, deal int REFERENCES deal, place int, UNIQUE (place, deal));
	CREATE TABLE in_slot (id int PRIMARY KEY, slot int REFERENCES slot)));
on_a(q(INSERT INTO deal VALUES (91, 'n1'), (92, 'n2'); INSERT INTO deal_line VALUES (1, 91, 'a1'), (2, 91, 'a2'), (1, 92, 'b1');
	INSERT INTO delivery VALUES (1, 91, 1, 't1'), (2, 91, 2, 't2'), (3, 92, 1, 't3'), (4, 91, NULL, 't4');
	INSERT INTO slot VALUES (901, 91, 1), (902, 91, 2), (903, 92, 1); INSERT INTO in_slot SELECT id, id FROM slot));
# 91 is another deal here, with lines and slots of its own.
on_b(q(INSERT INTO deal VALUES (1, 'n1'), (3, 'n3'); INSERT INTO deal_line VALUES (1, 1, 'mine'); INSERT INTO slot VALUES (5, 1, 1), (6, 3, 2)));
is(transfer_all(q('{in_slot,slot,delivery,deal_line,deal}', match => 'unique', strategy => 'overwrite')), 'deal|1|0|1|0 deal_line|2|1|0|0 delivery|4|0|0|0 in_slot|3|0|0|0 slot|2|0|1|0',
	'keys and indexes with a part that is re-pointed');
is(on_b('SELECT deal, line, what FROM deal_line ORDER BY 1, 2'), "1|1|a1\n1|2|a2\n92|1|b1", 'the key here');
is(on_b('SELECT tag, deal, line FROM delivery ORDER BY 1'), "t1|1|1\nt2|1|2\nt3|92|1\nt4|91|", 'what refers to it by several columns');
is(on_b('SELECT i.id, s.id, s.deal, s.place FROM in_slot i JOIN slot s ON s.id = i.slot ORDER BY 1'), "901|5|1|1\n902|902|1|2\n903|903|92|1", 'what is found by a re-pointed column, and what refers to that');
is(transfer_all(q('{in_slot,slot,delivery,deal_line,deal}', match => 'unique', strategy => 'overwrite')), 'deal|0|0|2|0 deal_line|0|0|3|0 delivery|0|0|4|0 in_slot|0|0|3|0 slot|0|0|3|0', 'once more');

# Self references, also ones that may not be null, and cycles.
foreach my $null ('', 'NOT NULL')
{
	on_both(qq(DROP TABLE IF EXISTS tree CASCADE; CREATE TABLE tree (id int PRIMARY KEY, name text UNIQUE, parent int $null REFERENCES tree, boss int REFERENCES tree)));
	# Rows come before what they refer to, and after it.
	on_a(q(INSERT INTO tree SELECT 1000 + i, 't' || i, 1001 + (i * 7) % 100, 1001 + (i * 3) % 100 FROM generate_series(1, 100) i));
	on_b(q(INSERT INTO tree SELECT i, 't' || i, i, i FROM generate_series(1, 100, 3) i));
	my $tree = q(SELECT string_agg(concat_ws(' ', t.name, p.name, b.name), ',' ORDER BY t.name) FROM tree t JOIN tree p ON p.id = t.parent JOIN tree b ON b.id = t.boss WHERE t.id > 1000 AND substr(t.name, 2)::int % 3 <> 1);
	my $size = $null ? 1000 : 9;
	is(transfer_all(qq('{tree}', match => 'unique', batch_size => $size)), 'tree|66|0|34|0', "a self reference $null");
	is(on_b($tree), on_a($tree), "follows $null");
	is(on_b('SELECT count(*) FROM tree WHERE id > 1000 AND parent < 1000'), on_a('SELECT count(*) FROM tree t JOIN tree p ON p.id = t.parent WHERE substr(t.name, 2)::int % 3 <> 1 AND substr(p.name, 2)::int % 3 = 1'), "to the rows here $null");
	is(transfer_all(qq('{tree}', match => 'unique', strategy => 'overwrite')), 'tree|0|0|100|0', "once more $null");
	is(on_b($tree), on_a($tree), "still does $null");
}
on_both(q(CREATE TABLE dept (id int PRIMARY KEY, name text UNIQUE, head int); CREATE TABLE emp (id int PRIMARY KEY, email text UNIQUE, dept int NOT NULL REFERENCES dept); ALTER TABLE dept ADD FOREIGN KEY (head) REFERENCES emp));
on_a(q(INSERT INTO dept SELECT 900 + i, 'd' || i FROM generate_series(1, 20) i; INSERT INTO emp SELECT 900 + i, 'e' || i, 921 - i FROM generate_series(1, 20) i; UPDATE dept SET head = id));
on_b(q(INSERT INTO dept SELECT i, 'd' || i FROM generate_series(1, 20, 2) i; INSERT INTO emp SELECT i, 'e' || i, 1 FROM generate_series(1, 20, 3) i));
my $heads = q(SELECT string_agg(d.name || h.email, ' ' ORDER BY d.name) FROM dept d JOIN emp h ON h.id = d.head WHERE d.id > 900);
my $depts = q(SELECT string_agg(e.email || d.name, ' ' ORDER BY e.email) FROM dept d JOIN emp e ON e.dept = d.id WHERE e.id > 900);
is(transfer_all(q('{dept,emp}', match => 'unique')), 'dept|10|0|10|0 emp|13|0|7|0', 'a cycle');
is(on_b('SELECT string_agg(d.name || h.email, $$ $$ ORDER BY d.name) FROM dept d JOIN emp h ON h.id = d.head'), on_a(q(SELECT string_agg(d.name || h.email, ' ' ORDER BY d.name) FROM dept d JOIN emp h ON h.id = d.head WHERE d.id % 2 = 0)), 'one way round');
is(on_b($depts), on_a(q(SELECT string_agg(e.email || d.name, ' ' ORDER BY e.email) FROM dept d JOIN emp e ON e.dept = d.id WHERE (e.id - 900) % 3 <> 1)), 'and the other');

# An index over a column of a self reference; see also 077_match_references.
on_both('CREATE TABLE folder (id int GENERATED BY DEFAULT AS IDENTITY (START 100) PRIMARY KEY, parent int REFERENCES folder, name text, path text UNIQUE, UNIQUE (parent, name))');
on_a(q(INSERT INTO folder VALUES (51, NULL, 'a', 'a'), (52, 51, 'x', 'a/x'), (53, 52, 'y', 'a/x/y')));
on_b(q(INSERT INTO folder VALUES (51, NULL, 'b', 'b'), (3, 51, 'x', 'b/x')));
is(transfer_all(q('{folder}', match => 'unique')), 'folder|1|0|2|0', 'an index with a self reference');
is(on_b('SELECT * FROM folder ORDER BY id'), "3|51|x|b/x\n51||b|b\n53|3|y|a/x/y", 'finds rows below those whose key is here');
on_b('DELETE FROM folder WHERE id = 53');
is(transfer_all(q('{folder}', match => 'unique', strategy => 'append')), 'folder|3|0|0|0', 'where keys change');
is(on_b('SELECT * FROM folder ORDER BY id'), "3|51|x|b/x\n51||b|b\n100||a|a\n101|100|x|a/x\n102|101|y|a/x/y", 'what is new is not taken for what has its old key here');

# What refers to a row of a later batch and may not be null, and two rows of the peer that are equal in
# one batch, can be tried again.
on_both('CREATE TABLE again (id int PRIMARY KEY, name text, up int NOT NULL REFERENCES again DEFERRABLE)');
on_b('CREATE UNIQUE INDEX ON again (name); ALTER TABLE again ALTER CONSTRAINT again_up_fkey NOT DEFERRABLE');
on_a(q(INSERT INTO again SELECT 900 + i, 'r' || (i + 1) / 2, 900 + least(i + 4, 20) FROM generate_series(1, 20) i));
on_b(q(INSERT INTO again SELECT i, 'r' || i, i FROM generate_series(9, 10) i));
is(transfer_all(q('{again}', match => 'unique', batch_size => 4, mode => 'online', retries => 5)), 'again|8|0|12|0', 'rows that are tried again');
is(on_b('SELECT string_agg(a.name || u.name, $$ $$ ORDER BY a.name) FROM again a JOIN again u ON u.id = a.up WHERE a.id > 900'),
	on_a('SELECT string_agg(DISTINCT a.name || u.name, $$ $$) FROM again a JOIN again u ON u.id = a.up WHERE a.name NOT IN ($$r9$$, $$r10$$)'), 'are found, and follow');

# Two rows of the peer that are one here; one that is named twice by another column there.
on_both('CREATE TABLE author (id int PRIMARY KEY, email text, pen text); CREATE TABLE book (id int PRIMARY KEY, author int REFERENCES author, pen text)');
on_b(q(CREATE UNIQUE INDEX ON author (email); CREATE UNIQUE INDEX author_pen ON author (pen); ALTER TABLE book ADD FOREIGN KEY (pen) REFERENCES author (pen)));
on_a(q(INSERT INTO author VALUES (91, 'a@x', 'P'), (92, 'a@x', 'P'), (93, 'b@x', 'Q'); INSERT INTO book VALUES (1, 91, 'P'), (2, 92, 'P'), (3, 93, 'Q')));
on_b(q(INSERT INTO author VALUES (1, 'a@x', 'mine')));
is(transfer_all(q('{author,book}', match => 'unique')), 'author|1|0|2|0 book|3|0|0|0', 'two rows that are one here');
is(on_b('SELECT * FROM book ORDER BY id'), "1|1|mine\n2|1|mine\n3|93|Q", 'and nothing is multiplied');

# ---- append ---------------------------------------------------------------------------------------

on_both(q(CREATE TABLE customer (id serial PRIMARY KEY, email text UNIQUE, friend int REFERENCES customer, name text);
	CREATE TABLE purchase (id serial PRIMARY KEY, customer int NOT NULL REFERENCES customer, note text);
	CREATE TABLE purchase_line (purchase int REFERENCES purchase, line int, PRIMARY KEY (purchase, line));
	CREATE TABLE parcel (id serial PRIMARY KEY, purchase int, line int, FOREIGN KEY (purchase, line) REFERENCES purchase_line)));
on_a(q(INSERT INTO customer (email, name) SELECT 'c' || i, 'theirs' FROM generate_series(1, 20) i; UPDATE customer SET friend = 21 - id;
	INSERT INTO purchase (customer, note) SELECT i, 'c' || i FROM generate_series(1, 20) i; INSERT INTO purchase_line SELECT i, n FROM generate_series(1, 20) i, generate_series(1, 2) n;
	INSERT INTO parcel (purchase, line) SELECT purchase, line FROM purchase_line));
# Under the key of one customer there is another one.
my $mine = q(TRUNCATE customer, purchase, purchase_line, parcel RESTART IDENTITY; INSERT INTO customer (email, name) SELECT 'c' || (25 - i), 'ours' FROM generate_series(1, 10) i);
on_b($mine);
my $bought = q(SELECT string_agg(concat_ws(' ', c.email, f.email, p.note, l.line), ',' ORDER BY p.note, l.line) FROM parcel x JOIN purchase_line l USING (purchase, line) JOIN purchase p ON p.id = l.purchase JOIN customer c ON c.id = p.customer LEFT JOIN customer f ON f.id = c.friend AND c.name = 'theirs');
my $everything = q('{customer,purchase,purchase_line,parcel}', strategy => 'append');
my $told = on_a($bought);
$told =~ s/(^|,)(c(?:1[5-9]|20)) c\d+ /$1$2 /g;
is(transfer_all("$everything, match => 'unique', dry_run => true"), 'customer|14|0|6|0 parcel|40|0|0|0 purchase|20|0|0|0 purchase_line|40|0|0|0', 'append, dry');
is(transfer_all("$everything, match => 'unique', batch_size => 3"), 'customer|14|0|6|0 parcel|40|0|0|0 purchase|20|0|0|0 purchase_line|40|0|0|0', 'append');
is(on_b($bought), $told, 'what is found and what gets a new key are in one map');
is(on_b(q(SELECT count(*) FILTER (WHERE name = 'ours'), min(id) FILTER (WHERE name = 'theirs') FROM customer)), '10|11', 'new keys are new');
on_b($mine);
is(transfer_all("$everything, match => 'phoenix'"), 'customer|4|0|16|0 parcel|40|0|0|0 purchase|20|0|0|0 purchase_line|40|0|0|0', 'append, phoenix');
is(on_b(q(SELECT string_agg(p.note || '=' || c.email, ' ' ORDER BY p.id) FROM purchase p JOIN customer c ON c.id = p.customer WHERE p.id IN (1, 12, 15, 20))),
	'c1=c24 c12=c12 c15=c15 c20=c20', 'also by the primary key');
# Without match everything is appended; what refers to a row that refers to another one follows too.
on_both('ALTER TABLE customer DROP CONSTRAINT customer_email_key');
on_a('INSERT INTO parcel (purchase) VALUES (7)');
on_b($mine);
is(transfer_all($everything), 'customer|20|0|0|0 parcel|41|0|0|0 purchase|20|0|0|0 purchase_line|40|0|0|0', 'append alone');
is(on_b($bought), on_a($bought), 'follows keys that are made of others');
is(on_b('SELECT purchase FROM parcel WHERE line IS NULL'), '7', 'a reference that is null in part stays as it is');

# ---- jobs, rights, and what does not go -----------------------------------------------------------

on_b('TRUNCATE people_int, order_int');
on_b(q(INSERT INTO people_int VALUES (1, 'p1@x', 'ours')));
refused(q('{people_int}', match => 'email'), '22023', qr/invalid value for "match": "email".*key, unique, phoenix/s, 'another word');
refused(q('{people_int}', match => 'unique', strategy => 'mirror'), '22023', qr/strategy "mirror" cannot be combined with match "unique"/, 'mirror');
refused(q('{people_int}', match => 'phoenix', strategies => '{"people_int": "mirror"}'), '22023', qr/strategy "mirror" cannot be combined with match "phoenix"/, 'mirror of one table');
refused(q('{people_int}', match => 'unique', strategy => 'overwrite', verify => true), '22023', qr/with match "unique" cannot be verified/, 'verify');
my ($ret, $out, $err) = $b->psql('postgres', pull_script($a, q(SELECT created, skipped FROM sync_transfer(:c, 'people_int', mode => 'delta', match => 'unique');)));
is($out, '300|1', 'a single table, compared');
like($err, qr/NOTICE:  all rows of table "people_int" are transferred: rows are looked for under other keys/, 'as a whole, it says');

# Rights, and rows that are not seen.
on_b(q(TRUNCATE people_int, order_int; INSERT INTO people_int VALUES (1, 'p1@x', 'ours');
	CREATE ROLE clerk; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk; GRANT INSERT ON people_int TO clerk; GRANT SELECT (id) ON people_int TO clerk));
my $as_clerk = sub { return "SET ROLE clerk;\n" . pull_script($a, q(SELECT created, skipped, error_count FROM sync_transfer_all(:c, '{people_int}', match => 'unique', max_errors => 1);)); };
fails_with($b, $as_clerk->(), '42501', qr/permission denied for table people_int/, 'a role that may not read the columns');
on_b('GRANT SELECT ON people_int TO clerk; ALTER TABLE people_int ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON people_int USING (id > 1) WITH CHECK (true)');
is($b->safe_psql('postgres', $as_clerk->()), '300|0|1', 'a row that it does not see is not found');
on_b('DELETE FROM people_int WHERE id > 1; CREATE POLICY all_seen ON people_int USING (true)');
is($b->safe_psql('postgres', $as_clerk->()), '300|1|0', 'one that it sees is');

# A job.
on_b(q(TRUNCATE people_text, order_text; INSERT INTO people_text VALUES ('ours', 'p7@x', 'ours')));
my $site = peer_proxy($a);
add_receiver($b, 'main', $site->{url});
fails_with($b, q(SELECT sync_transfer_async('main', '{people_text}', match => 'other')), '22023', qr/invalid value for "match"/, 'a job');
my $uuid = on_b(q(SELECT sync_transfer_async('main', '{people_text,order_text}', match => 'unique')));
wait_for(sub { on_b("SELECT status FROM sync_transfers WHERE uuid = '$uuid'") =~ /completed|failed/ }, 'the job is done');
is(on_b("SELECT status, error_message FROM sync_transfers WHERE uuid = '$uuid'"), 'completed|', 'a job with match');
is(on_b(q(SELECT id FROM order_text WHERE buyer = 'ours')), '7', 'has matched');

no_leftovers($a, 'in the end');
done_testing();
