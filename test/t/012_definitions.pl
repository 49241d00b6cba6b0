# Into an empty database: all that the tables are made of is there, as pg_dump prints it, and equal.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver');

# What pg_dump -s prints of the kinds of objects that are carried: a hash from "kind name" to SQL.
# Owners and grants are not.
my %carried = map { $_ => 1 } (
	'TABLE', 'TYPE', 'DOMAIN', 'SEQUENCE', 'SEQUENCE OWNED BY', 'DEFAULT', 'CONSTRAINT', 'CHECK CONSTRAINT',
	'FK CONSTRAINT', 'INDEX', 'INDEX ATTACH', 'TABLE ATTACH', 'COMMENT');

sub dumped
{
	my ($node, $db) = @_;
	my ($out, $err) = run_command([ 'pg_dump', '-s', '-O', '-x', '-d', $node->connstr($db) ]);
	is($err, '', "$db: pg_dump");
	my %objects;
	foreach my $part (split /^--\n-- (?=Name: )/m, $out)
	{
		my ($name, $kind, $sql) = $part =~ /^Name: (.*?); Type: (.*?); Schema: .*?\n--\n\n(.*)/s or next;
		next unless $carried{$kind};
		# Also those of what belongs to the extension or is none of a table's.
		next if $kind eq 'COMMENT' && $sql =~ /^COMMENT ON (EXTENSION|FUNCTION|AGGREGATE|SCHEMA|VIEW|TRIGGER)/;
		$sql =~ s/^(--.*|SET .*|\\.*|)\n//mg;
		$objects{"$kind $name"} .= $sql;
	}
	return \%objects;
}

sub same_definitions
{
	my ($db, $name, @without) = @_;
	my ($there, $here) = (dumped($a, $db), dumped($b, $db));
	delete $there->{$_} foreach @without;
	cmp_ok(scalar keys %$there, '>', 20, "$name: there is something to compare");
	is_deeply($here, $there, "$name: both sides have the same definitions");
}

sub pull
{
	my ($db, $options) = @_;
	my $code = new_code($a, db => $db);
	my ($ret, $out, $err) = $b->psql($db,
		"SELECT table_name, created, error_count FROM sync_pull('" . sync_url($a) . "', '$code'" . ($options || '') . ")");
	is($ret, 0, "$db: tables arrive") or diag($err);
	return ($out, $err);
}

sub databases
{
	my ($db) = @_;
	foreach my $node ($a, $b)
	{
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		$node->safe_psql($db, 'CREATE EXTENSION sync; SELECT sync_enable()');
	}
}

my $checksums = q(SELECT schema, name, sync_checksum(format('%I.%I', schema, name)::regclass) FROM sync_list_tables(NULL) ORDER BY 1, 2);

# ---- every shape --------------------------------------------------------------------------------

databases('shapes');
my $needed = q(CREATE SCHEMA "Big Shop"; CREATE EXTENSION btree_gist; CREATE EXTENSION citext; CREATE EXTENSION pg_trgm;);
command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $a->connstr('shapes'), '-f', 'shapes.sql' ], 'every shape is loaded');
$a->safe_psql('shapes', <<'SQL');
INSERT INTO "Big Shop"."Kinds" (m, ms, p, t, mm, c, pt, b, mr, cr, fr, mmr, ci, v, w, h, n)
	SELECT (ARRAY['sad', 'o''k'])[1 + i % 2]::mood, '{sad,"Very \"happy\""}', i, 2, '{sad}', 'abc', ROW(i, 2, 3, 'sad', 't')::"Big Shop"."Point 3", ARRAY[ROW(ROW(1, 2, 3, 'sad', 'x')::"Big Shop"."Point 3", NULL)::box3],
		'[sad,"o''k"]', '[a,b)', floatrange(i, i + 1), '{[sad,sad]}', 'Ci' || i, 'v' || i, (ARRAY[1, 2, 3, 50])[1 + i % 4], 5 + i, 12345
	FROM generate_series(1, 50) i;
INSERT INTO shares (m) SELECT 'sad' FROM generate_series(1, 10);
INSERT INTO a VALUES (1, NULL, NULL, 1, 1), (2, NULL, 1, 2, 2);
INSERT INTO b VALUES (1, 2, 1, 1), (2, 1, NULL, NULL);
UPDATE a SET b_id = 3 - id;
INSERT INTO c SELECT i, 1 + i % 2, 1 + i % 2, 10 + 3 * i FROM generate_series(1, 10) i;
INSERT INTO log (at, kind, w, a_id) SELECT '2024-06-01'::timestamptz + i * interval '20 days', (ARRAY['n', 'it''s', 'x', 'y', 'z'])[1 + i % 5], 1 + i % 2, 1 + i % 2 FROM generate_series(1, 60) i WHERE 1 + i % 2 <> 13;
INSERT INTO refers SELECT at, kind, id FROM log LIMIT 20;
INSERT INTO by_mood VALUES ('sad', 1), (NULL, 2);
INSERT INTO by_expr SELECT chr(97 + i), i FROM generate_series(0, 11) i;
INSERT INTO quick (note) VALUES ('fast');
SQL

# What is missing is named, and nothing is left behind.
my ($ret, $out, $err) = $b->psql('shapes', pull_script($a, 'SELECT sync_transfer_all(:c);', db => 'shapes'));
like($err, qr/ERROR:  schema "Big Shop" does not exist\nHINT:  Run CREATE SCHEMA "Big Shop"\./, 'a schema must be there');
$b->safe_psql('shapes', 'CREATE SCHEMA "Big Shop"');
($ret, $out, $err) = $b->psql('shapes', pull_script($a, 'SELECT sync_transfer_all(:c);', db => 'shapes'));
like($err, qr/ERROR:  type "citext" does not exist\nHINT:  Run CREATE EXTENSION citext/, 'and an extension');
is($b->safe_psql('shapes', q(SELECT count(*) FROM pg_type WHERE typname IN ('mood', 'positive'))), '0', 'what came before them is gone again');
$b->safe_psql('shapes', 'CREATE EXTENSION citext');
# The extensions that only indexes need: without them those are left out, and named.
($ret, $out, $err) = $b->psql('shapes', pull_script($a, 'BEGIN; SELECT sync_transfer_all(:c); ROLLBACK;', db => 'shapes'));
like($err, qr/constraint "?Kinds_w_fr_excl"? \(type integer has no operator class for gist here\)/, 'an exclusion constraint is named');
like($err, qr/index trg \(operator class public\.gist_trgm_ops is not provided here\)/, 'an index is named');
$b->safe_psql('shapes', 'CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm');

($out, $err) = pull('shapes');
unlike($err, qr/created without|parts of their/, 'nothing is left out');
unlike($out, qr/\|[1-9]\d*$/m, 'no row failed');
same_definitions('shapes', 'every shape');
is($b->safe_psql('shapes', $checksums), $a->safe_psql('shapes', $checksums), 'every row is there');
foreach my $tree ('log', 'by_mood', 'by_expr')
{
	my $places = qq(SELECT tableoid::regclass::text COLLATE "C", count(*) FROM $tree GROUP BY 1 ORDER BY 1);
	is($b->safe_psql('shapes', $places), $a->safe_psql('shapes', $places), "$tree: rows are in their partitions");
}
is($b->safe_psql('shapes', q(INSERT INTO shares (m) VALUES ('sad') RETURNING id < (SELECT min(id) FROM shares))), 't', 'a shared sequence goes on behind what came');
is($b->safe_psql('shapes', q(INSERT INTO log (at) VALUES ('2030-01-01') RETURNING id > (SELECT max(id) FROM log))), 't', 'and that of an identity column');
fails_with($b, q(INSERT INTO c VALUES (99, 7, 7)), '23503', undef, 'a foreign key holds', db => 'shapes');

# Some of them, others later: keys to those that are not there are left out, and said.
$b->safe_psql('shapes', 'DROP TABLE a, b, c CASCADE');
($out, $err) = pull('shapes', q(, tables => '{c}'));
like($err, qr/table "c" was created without: foreign key c_x_y_fkey \(table a does not exist here\)/, 'a key to a table that is not there');
$b->safe_psql('shapes', 'DROP TABLE c');
pull('shapes', q(, tables => '{a,b}'));
($out, $err) = pull('shapes', q(, tables => '{c}', mode => 'online'));
like($err, qr/foreign key c_x_y_fkey \(it would lock table a, and mode is online\)/, 'in mode online no table is locked');
$b->safe_psql('shapes', 'DROP TABLE c');
($out, $err) = pull('shapes', q(, tables => '{c}'));
unlike($err, qr/created without/, 'and else the key is there');

# Under another name.
run_script($b, $a, q(SELECT sync_transfer(:c, 'a', 'a_copy');), db => 'shapes', to_db => 'shapes');
is($b->safe_psql('shapes', q(SELECT count(*) FROM pg_constraint WHERE conrelid = 'a_copy'::regclass AND contype = 'f' AND confrelid = 'a_copy'::regclass)),
	'1', 'a self reference follows the name');
run_script($b, $a, q(SELECT sync_transfer(:c, 'log', 'log_copy');), db => 'shapes', to_db => 'shapes');
is($b->safe_psql('shapes', q(SELECT sync_checksum('log_copy'))), $a->safe_psql('shapes', q(SELECT sync_checksum('log'))), 'a tree under another name');

# Event triggers see what is made.
$b->safe_psql('shapes', <<'SQL');
CREATE TABLE public.seen (tag text, object text);
CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO public.seen SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION public.see();
SQL
run_script($b, $a, q(SELECT sync_transfer(:c, 'quick', 'quick_copy');), db => 'shapes', to_db => 'shapes');
like($b->safe_psql('shapes', 'SELECT * FROM seen'), qr/^CREATE SEQUENCE\|.*\nCREATE TABLE\|public\.quick_copy/s, 'event triggers fire');
$b->safe_psql('shapes', 'DROP EVENT TRIGGER see');

# ---- a peer that says what it likes -------------------------------------------------------------

# The server goes on after definitions that are nothing but trouble.
my $deep = '{"columns": ' . ('[' x 5000) . (']' x 5000) . '}';
my $wide = '{"columns": [' . join(',', map { qq({"name": "c$_", "type": "int"}) } 1 .. 1600) . ']}';
my $long = '{"columns": [{"name": "a", "type": "int", "default": "' . ('1+' x 20000) . '1"}]}';
my $many = '{"kind": "p", "partition_key": "LIST (a)", "columns": [{"name": "a", "type": "int"}], "partitions": [' .
	join(',', map { qq({"table": "p$_", "bound": "FOR VALUES IN ($_)"}) } 1 .. 1000) . ']}';
my $list = '{"columns": [{"name": "a", "type": "int"}], "constraints": [{"name": "k", "definition": "CHECK (a IN (' . join(',', 1 .. 3000) . '))"}]}';
foreach my $case ([ 'deep', $deep, 0 ], [ 'wide', $wide, 1 ], [ 'long', $long, 1 ], [ 'many', $many, 1 ], [ 'list', $list, 1 ])
{
	my ($name, $definition, $made) = @$case;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	append_to_file($file, "SELECT sync_create_table('$name', \$json\$$definition\$json\$);");
	my $result = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $b->connstr('postgres'), '-f', $file ], '>', '/dev/null', '2>', '/dev/null');
	is($result ? 1 : 0, $made, "definition: $name");
}
is($b->safe_psql('postgres', q(SELECT count(*) FROM pg_inherits WHERE inhparent = 'many'::regclass)), '1000', 'a thousand partitions');
my $refused = $b->psql('postgres', q(SET statement_timeout = '200ms'; SELECT sync_create_table('many_2', (SELECT jsonb_set(d, '{table}', '"many"') FROM (SELECT sync_get_schema('many') d) x))), timeout => 60);
isnt($refused, 0, 'a time-out ends it');
is($b->safe_psql('postgres', q(SELECT to_regclass('many_2') IS NULL)), 't', 'and leaves nothing');

# ---- a realistic database -----------------------------------------------------------------------

SKIP:
{
	my $file = $ENV{SYNC_PAGILA};
	skip 'the Pagila database is not here (../shared/data/pagila.sql)', 1 unless $file && -r $file;
	databases('pagila');
	command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $a->connstr('pagila'), '-f', $file ], 'Pagila is loaded');
	my (undef, $notice) = pull('pagila');
	like($notice, qr/NOTICE:.*tables were created without parts of their definitions\nDETAIL:/, 'what is left out is said');
	like($notice, qr/^(DETAIL:  )?actor, .*film.*: trigger last_updated$/m, 'triggers');
	like($notice, qr/^(DETAIL:  )?.*customer.*: view public\.customer_list$/m, 'views');
	unlike($notice, qr/\(/, 'and nothing is refused');
	# Types that no table uses do not come.
	my ($there, $here) = (dumped($a, 'pagila'), dumped($b, 'pagila'));
	my @unused = grep { /^DOMAIN / && !exists $here->{$_} } keys %$there;
	cmp_ok(scalar @unused, '<=', 1, 'all domains that are used');
	# And that index is a materialized view's.
	same_definitions('pagila', 'Pagila', @unused, 'INDEX rental_category');
	is($b->safe_psql('pagila', $checksums), $a->safe_psql('pagila', $checksums), 'every table is equal');
}

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
