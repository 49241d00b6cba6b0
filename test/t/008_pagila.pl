# A realistic database, from one server to another that has its schema: every table equal by content.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $file = $ENV{SYNC_PAGILA};
plan skip_all => 'the Pagila database is not here (../shared/data/pagila.sql)' unless $file && -r $file;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');
$_->safe_psql('postgres', 'CREATE DATABASE pagila') foreach $a, $b;
command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $a->connstr('pagila'), '-f', $file ], 'Pagila is loaded');
my $schema = "$PostgreSQL::Test::Utils::tmp_check/pagila_schema.sql";
command_ok([ 'pg_dump', '-s', '-d', $a->connstr('pagila'), '-f', $schema ], 'its schema is dumped');
command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $b->connstr('pagila'), '-f', $schema ], 'and restored');
$_->safe_psql('pagila', 'CREATE EXTENSION sync; SELECT sync_enable(); ANALYZE') foreach $a, $b;

my $tables = q(SELECT name FROM sync_list_tables());
my $checksums = q(SELECT name, sync_checksum(name::text::regclass) FROM sync_list_tables() ORDER BY name);
my $url = sync_url($a);

my $out = run_script($b, $a, q(SELECT count(*), sum(created), sum(updated), sum(error_count) FROM sync_transfer_all(:c);), db => 'pagila', to_db => 'pagila');
like($out, qr/^\d+\|4\d{4}\|0\|0$/, 'all tables arrive');
is($b->safe_psql('pagila', $checksums), $a->safe_psql('pagila', $checksums), 'every table is equal');
is($b->safe_psql('pagila', q(SELECT tableoid::regclass, count(*) FROM payment GROUP BY 1 ORDER BY 1::text)),
	$a->safe_psql('pagila', q(SELECT tableoid::regclass, count(*) FROM payment GROUP BY 1 ORDER BY 1::text)), 'rows are in their partitions');
is($b->safe_psql('pagila', q(SELECT nextval('customer_customer_id_seq') > max(customer_id) FROM customer)), 't', 'sequences go on behind');

# Again, after some changes.
$a->safe_psql('pagila', <<'SQL');
UPDATE customer SET email = lower(email) WHERE customer_id % 50 = 0;
UPDATE film SET description = description || '!' WHERE film_id <= 5;
INSERT INTO language (name) VALUES ('Esperanto');
SQL
$out = run_script($b, $a, q(SELECT table_name, created, updated FROM sync_transfer_all(:c, strategy => 'overwrite') WHERE created + updated > 0 ORDER BY 1;), db => 'pagila', to_db => 'pagila');
like($out, qr/^customer\|0\|11\nfilm\|0\|5\nlanguage\|1\|0$/, 'only what has changed is written');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
