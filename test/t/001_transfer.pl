# A database hands its tables to another: connect, look, fetch, transfer, disconnect.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');

$a->safe_psql('postgres', <<'SQL');
CREATE TABLE customer (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES customer, total numeric(10,2), at timestamptz);
CREATE TABLE note (txt text);
CREATE SCHEMA other;
CREATE TABLE other."Odd ""name""" ("a b" int PRIMARY KEY, "c%" text);
INSERT INTO customer SELECT i, 'customer ' || i FROM generate_series(1, 50) i;
INSERT INTO orders (customer, total, at) SELECT 1 + i % 50, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 20000) i;
INSERT INTO note VALUES ('one'), ('two'), (NULL), ('one');
INSERT INTO other."Odd ""name""" VALUES (1, 'x');
ANALYZE;
SQL
$b->safe_psql('postgres', 'CREATE SCHEMA other');

# Looking before taking.
my $out = run_script($b, $a, <<'SQL');
SELECT schema, name, row_count, depends_on FROM sync_remote_list_tables(:c);
SELECT name FROM sync_remote_list_tables(:c, NULL, true);
SELECT sync_remote_get_schema(:c, 'orders')->'primary_key';
SELECT sync_remote_get_count(:c, 'customer'), sync_remote_get_count(:c, 'other."Odd ""name"""');
SELECT * FROM sync_remote_fetch(:c, 'customer', 2);
SELECT * FROM sync_remote_fetch(:c, 'customer', 1, 3);
SELECT * FROM sync_remote_fetch(:c, 'customer', 1, after => '{"id": 48}');
SELECT sync_connected(:c), sync_connected(:c + 1);
SELECT url, protocol, status, role, snapshot_at IS NOT NULL, peer_version, bytes_in > 0, bytes_out > 0 FROM sync_clients();
SQL
my $url = sync_url($a);
is($out, <<"OUT" =~ s/\n\z//r, 'the peer can be looked at');
public|customer|50|{}
public|note|4|{}
public|orders|20000|{customer}
Odd "name"
customer
note
orders
["id"]
50|1
{"id": 1, "name": "customer 1"}
{"id": 2, "name": "customer 2"}
{"id": 4, "name": "customer 4"}
{"id": 49, "name": "customer 49"}
t|f
$url|native|idle|@{[$b->safe_psql('postgres', 'SELECT current_user')]}|t|@{[$a->safe_psql('postgres', 'SELECT version FROM sync_get_config()')]}|t|t
OUT

# All of it, into nothing.
$out = run_script($b, $a, <<'SQL');
SELECT table_name, created, updated, skipped, deleted, error_count, mode, dry_run, verified FROM sync_transfer_all(:c);
SQL
is($out, <<'OUT' =~ s/\n\z//r, 'all tables arrive, referenced ones first');
other."Odd ""name"""|1|0|0|0|0|full|f|
customer|50|0|0|0|0|full|f|
note|4|0|0|0|0|full|f|
orders|20000|0|0|0|0|full|f|
OUT
my $checksums = q(SELECT t, sync_checksum(t) FROM unnest(ARRAY['customer', 'orders', 'note', 'other."Odd ""name"""']::regclass[]) t);
is($b->safe_psql('postgres', $checksums), $a->safe_psql('postgres', $checksums), 'all rows are equal');
is($b->safe_psql('postgres', q(INSERT INTO orders DEFAULT VALUES RETURNING id)), '20001', 'identity goes on behind what came');
$b->safe_psql('postgres', 'DELETE FROM orders WHERE id = 20001');

# Sequences: left where they are, moved up, and never back.
$a->safe_psql('postgres', q(CREATE TABLE serials (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY); INSERT INTO serials (id) SELECT i * 10 FROM generate_series(1, 6) i));
is( run_script($b, $a, <<'SQL'), "6\n1|7\n0|6\n61|8\n0|6\n500\n500", 'sequences');
CREATE TABLE serials (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY);
SELECT created FROM sync_transfer(:c, 'serials', sequences => 'leave');
INSERT INTO serials OVERRIDING SYSTEM VALUE VALUES (DEFAULT, 7) RETURNING *;
DELETE FROM serials WHERE id = 1;
SELECT created, skipped FROM sync_transfer(:c, 'serials', strategy => 'overwrite');
INSERT INTO serials DEFAULT VALUES RETURNING id, n + 1;
DELETE FROM serials WHERE id = 61;
SELECT created, skipped FROM sync_transfer(:c, 'serials');
SELECT setval('serials_id_seq', 500);
SELECT last_value FROM sync_transfer(:c, 'serials'), serials_id_seq;
SQL
$_->safe_psql('postgres', 'DROP TABLE serials') foreach $a, $b;

# Again: nothing is written.
my $before = $b->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$out = run_script($b, $a, q(SELECT table_name, created, updated, skipped FROM sync_transfer_all(:c, '{customer, orders}', strategy => 'overwrite');));
is($out, "customer|0|0|50\norders|0|0|20000", 'equal rows are skipped');
is( $b->safe_psql('postgres', q(SELECT n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 'orders')),
	'1', 'and not written');

# Strategies over the wire.
$a->safe_psql('postgres', q(UPDATE customer SET name = 'new ' || id WHERE id <= 3; INSERT INTO customer VALUES (51, 'fresh')));
$b->safe_psql('postgres', q(UPDATE customer SET name = 'mine' WHERE id = 5; INSERT INTO customer VALUES (100, 'local')));
is( run_script($b, $a, q(SELECT created, updated, skipped FROM sync_transfer(:c, 'customer');)),
	'1|0|50', 'skip');
is( $b->safe_psql('postgres', q(SELECT name FROM customer WHERE id IN (1, 5, 51, 100) ORDER BY id)),
	"customer 1\nmine\nfresh\nlocal", 'skip leaves what is there');
is( run_script($b, $a, q(SELECT created, updated, skipped FROM sync_transfer(:c, 'customer', strategy => 'overwrite');)),
	'0|4|47', 'overwrite');
is( $b->safe_psql('postgres', q(SELECT name FROM customer WHERE id IN (1, 5, 51, 100) ORDER BY id)),
	"new 1\ncustomer 5\nfresh\nlocal", 'overwrite replaces, and deletes nothing');
$a->safe_psql('postgres', 'CREATE TABLE two (id int PRIMARY KEY, x int, y int); INSERT INTO two VALUES (1, NULL, 5), (2, 2, NULL)');
$b->safe_psql('postgres', 'CREATE TABLE two (id int PRIMARY KEY, x int, y int DEFAULT 9, z int DEFAULT 7); INSERT INTO two VALUES (1, 8, 8)');
is( run_script($b, $a, q(SELECT created, updated, skipped FROM sync_transfer(:c, 'two', strategy => 'merge');)),
	'1|1|0', 'merge');
is($b->safe_psql('postgres', 'TABLE two ORDER BY id'), "1|8|5|7\n2|2||7", 'merge keeps values where null comes; a column of ours alone has its default');
is( run_script($b, $a, q(SELECT created, updated, skipped FROM sync_transfer(:c, 'note', strategy => 'append');)),
	'4|0|0', 'append to a table without a key');
$b->safe_psql('postgres', 'CREATE TABLE appended (id serial PRIMARY KEY, name text)');
is( run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 'customer', 'appended', strategy => 'append');)),
	'51', 'append under another name');
is($b->safe_psql('postgres', q(SELECT min(id), max(id) FROM appended)), '1|51', 'append makes new keys');

# Each table its own strategy.
$a->safe_psql('postgres', q(UPDATE customer SET name = 'again' WHERE id = 1; UPDATE two SET x = 100 WHERE id = 2));
is( run_script($b, $a, q(SELECT table_name, created, updated, skipped FROM sync_transfer_all(:c, '{customer, two}', strategies => '{"two": "overwrite"}');)),
	"customer|0|0|51\ntwo|0|2|0", 'strategies by table');

# Selecting and excluding.
is( run_script($b, $a, q(SELECT table_name FROM sync_transfer_all(:c, exclude => ARRAY['orders', 'other."Odd ""name"""', 'note']);)),
	"customer\ntwo", 'exclude');
is( run_script($b, $a, q(SELECT table_name FROM sync_transfer_all(:c, '{two, public.two, customer}', exclude => '{customer}');)),
	'two', 'a table named twice is taken once');

# One call for all.
my $code = new_code($a, tables => q('{customer}'));
is( $b->safe_psql('postgres', "SELECT table_name, updated FROM sync_pull('$url', '$code', strategy => 'overwrite')"),
	'customer|1', 'pull; a session that names tables shares no others');

# What is read over one connection is one snapshot.
$code = new_code($a);
$out = $b->safe_psql('postgres', <<"SQL");
SELECT sync_connect('$url', '$code') AS c \\gset
SELECT sync_remote_get_count(:c, 'customer');
\\! psql -XAtq -d '@{[$a->connstr('postgres')]}' -c "INSERT INTO customer VALUES (60, 'later')"
SELECT sync_remote_get_count(:c, 'customer');
SELECT count(*) FROM sync_remote_fetch(:c, 'customer', 1000);
SELECT created FROM sync_transfer(:c, 'customer');
SELECT sync_disconnect(:c) \\g /dev/null
SQL
is($out, "51\n51\n51\n0", 'a connection reads one snapshot');

# A peer that pulls from itself.
$code = new_code($a);
is( $a->safe_psql('postgres', "SELECT created FROM sync_pull('$url', '$code', tables => '{note}', create_missing_tables => false)"),
	'4', 'a database can pull from itself');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
ok(log_contains($a, qr/sync peer accepted: peer=127\.0\.0\.1:\d+ role=\S+ database=postgres direction=send/), 'accepted peers are in the log');
ok(log_contains($a, qr/sync peer ended: .* tables=\d+ rows=\d+ bytes=\d+ ms=\d+ result=completed/), 'and how they ended');
ok(!log_contains($a, qr/\Q$code\E/), 'but no code');

done_testing();
