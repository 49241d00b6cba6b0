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

no_leftovers($a, 'in the end');
done_testing();
