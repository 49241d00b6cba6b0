# Types and tables that are not the same on both sides, or as large as can be: exact, or an error that says which row or column.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => "datestyle = 'german'\nintervalstyle = 'sql_standard'\nbytea_output = 'escape'\nquote_all_identifiers = on\nsync.max_sessions = 1000\n");
my $b = new_sync_node('receiver');
sub on_a { return $a->safe_psql('postgres', "SET datestyle = 'iso, ymd';\n$_[0]"); }
sub on_b { return $b->safe_psql('postgres', $_[0]); }
sub pulled { return run_script($b, $a, "SET client_min_messages = warning;\n$_[0]"); }
sub equal
{
	my ($there, $here, $what) = @_;
	is(on_b("SELECT sync_checksum('$here')"), on_a("SELECT sync_checksum('$there')"), "$what: equal");
	return;
}

# ---- large values, large batches -----------------------------------------------------------------

# A batch that does not fit into memory is kept in a file, which must outlive the subtransactions in which rows are decoded.
on_a(q(CREATE TABLE large (id int PRIMARY KEY, t text, y bytea, j jsonb);
	INSERT INTO large VALUES (1, repeat(U&'"\\\000a\00e4\+01f600xyz', 4369067), NULL, NULL), (2, NULL, decode(repeat('00ff2722', 13107200), 'hex'), NULL), (3, NULL, NULL, jsonb_build_object('k', repeat(md5('x'), 1638400))), (4, 'small', '', '{}');
	CREATE TABLE many AS SELECT i AS id FROM generate_series(1, 400000) i; ALTER TABLE many ADD PRIMARY KEY (id)));
on_b('CREATE TABLE many (id int PRIMARY KEY); CREATE TABLE large_sets (id int PRIMARY KEY, t text, y bytea, j jsonb); CREATE TABLE large_json (LIKE large_sets INCLUDING ALL)');
is( pulled(<<'SQL'), "4|0\n4|0\n4|0\n400000|0", 'values of 50 MB, in every way, and a batch of many rows');
SELECT created, error_count FROM sync_transfer(:c, 'large');
SELECT created, error_count FROM sync_transfer(:c, 'large', 'large_sets', mode => 'online');
SELECT created, error_count FROM sync_import('large_json', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, 'large') r));
SELECT created, error_count FROM sync_transfer(:c, 'many', mode => 'online', batch_size => 1000000);
SQL
equal('large', $_, $_) foreach qw(large large_sets large_json);
is(pulled(q(SELECT updated, skipped FROM sync_transfer(:c, 'large', strategy => 'overwrite');)), '0|4', 'and are known as equal');
# Compressed in another way is the same all the same.
my $methods = on_b(q(SELECT unnest(enumvals) FROM pg_settings WHERE name = 'default_toast_compression' ORDER BY 1));
on_b("SET default_toast_compression = '$_'; CREATE TABLE packed_$_ AS SELECT i AS id, repeat('abcdefgh' || i, 5000) AS v FROM generate_series(1, 5) i; ALTER TABLE packed_$_ ADD PRIMARY KEY (id)") foreach split /\n/, $methods;
on_a(q(CREATE TABLE packed AS SELECT i AS id, repeat('abcdefgh' || i, 5000) AS v FROM generate_series(1, 5) i; ALTER TABLE packed ADD PRIMARY KEY (id), ALTER v SET STORAGE EXTERNAL));
is(pulled("SELECT updated, skipped FROM sync_transfer(:c, 'packed', 'packed_$_', strategy => 'overwrite');"), '0|5', "compressed by $_") foreach split /\n/, $methods;
equal('packed', "packed_$_", $_) foreach split /\n/, $methods;
is(on_b('SELECT count(*), sum(id) FROM many'), '400000|80000200000', 'no row is lost');
ok(!log_contains($b, qr/temporary file leak/), 'no file is forgotten');
$_->safe_psql('postgres', 'DROP TABLE large, many') foreach $a, $b;

# ---- tables of unusual shapes --------------------------------------------------------------------

# As many columns as a table can have; none; some that were dropped; some that are not stored in older rows.
my @columns = map { "c$_ " . ('int', 'text', 'bool', 'int2')[ $_ % 4 ] } 1 .. 1599;
on_a('CREATE TABLE wide (id int PRIMARY KEY, ' . join(', ', @columns) . '); INSERT INTO wide (id, c1, c2, c1599) VALUES (1, NULL, true, 3), (2, $$y$$, NULL, NULL);
	INSERT INTO wide VALUES (3, ' . join(', ', map { ("'7'", "'t'", 'true', '2')[ $_ % 4 ] } 1 .. 1599) . ');
	CREATE TABLE none (); INSERT INTO none SELECT FROM generate_series(1, 7);
	CREATE TABLE holes (a int, id int PRIMARY KEY, b text, c text, d int); ALTER TABLE holes DROP a, DROP c; INSERT INTO holes SELECT i, $$b$$ || i, i FROM generate_series(1, 10) i;
	ALTER TABLE holes ADD e timestamptz DEFAULT $$2024-03-04 05:06:07+00$$, ADD f text DEFAULT repeat($$f$$, 3000), ADD g int[] DEFAULT $${1,NULL}$$; INSERT INTO holes (id) VALUES (99); UPDATE holes SET f = NULL WHERE id = 5');
foreach my $table (qw(wide none holes))
{
	my $count = on_a("SELECT count(*) FROM $table");
	is( pulled(<<"SQL"), "$count|0\n$count|0\n$count|0", "$table goes over in every way");
SELECT created, error_count FROM sync_transfer(:c, '$table');
CREATE TABLE ${table}_sets (LIKE $table INCLUDING ALL);
SELECT created, error_count FROM sync_transfer(:c, '$table', '${table}_sets', mode => 'online');
CREATE TABLE ${table}_json (LIKE $table INCLUDING ALL);
SELECT created, error_count FROM sync_import('${table}_json', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, '$table') r));
SQL
	equal($table, $_, $_) foreach $table, "${table}_sets", "${table}_json";
}
on_b(q(UPDATE wide SET c1599 = 5, c1 = 'z'; ALTER TABLE holes ADD h int; UPDATE holes SET b = NULL WHERE id < 4; ALTER TABLE holes DROP h));
is(pulled(q(SELECT updated, skipped FROM sync_transfer(:c, 'wide', strategy => 'overwrite'); SELECT updated, skipped FROM sync_transfer(:c, 'holes', strategy => 'merge');)), "3|0\n3|8", 'and are brought up to date');
equal($_, $_, $_) foreach qw(wide holes);

# Names: 63 bytes, quotes, percent signs, blanks, dots, other letters, keywords, of tables, columns and types.
my $long = 'ü' x 31 . 'x';
my @odd = ($long, 'a "q" b', '%s %n %%', ' lead', 'x.y', 'select', "it's", 'A', "tab\tnew\nline", '$1', '\\', '__json__');
my $make = "CREATE TYPE \"T % \"\"$long\" AS ENUM ('ü');\n" =~ s/""$long/""x/r;
$make .= qq(CREATE SCHEMA "S ""%s"".";\n);
$_->safe_psql('postgres', $make) foreach $a, $b;
foreach my $name (@odd)
{
	my $quoted = '"' . $name =~ s/"/""/gr . '"';
	my $table = qq("S ""%s"".".$quoted);
	on_a(qq(CREATE TABLE $table ($quoted int PRIMARY KEY, "v" "T % ""x", "@{[join ' ', reverse split //, 'cba%']}" text DEFAULT 'x'); INSERT INTO $table VALUES (1, 'ü', 'y'), (2, NULL, NULL)));
	my $literal = $table =~ s/'/''/gr;
	is(pulled("SELECT created, table_name AS t FROM sync_transfer(:c, '$literal') \\gset\nSELECT :created, :'t'::regclass = '$literal'::regclass;\nSELECT updated, skipped FROM sync_transfer(:c, '$literal', strategy => 'overwrite');\nSELECT count(*) FROM sync_remote_fetch(:c, '$literal');"),
		"2|t\n0|2\n2", "a name: $name");
	equal($literal, $literal, $name);
}

# ---- types that differ ---------------------------------------------------------------------------

$_->safe_psql('postgres', <<'SQL') foreach $a, $b;
CREATE SCHEMA ext;
SQL
on_a(q(CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN small AS int; CREATE TYPE pair AS (a int, b int); CREATE TYPE other AS ENUM ('1'); CREATE TYPE trio AS (a int, b int, c int); CREATE TYPE nest AS (p pair); CREATE DOMAIN dpair AS pair; CREATE EXTENSION hstore SCHEMA ext));
on_b(q(CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE DOMAIN small AS int CHECK (VALUE < 10); CREATE TYPE pair AS (b int, a int); CREATE DOMAIN other AS int; CREATE TYPE trio AS (a int, b int, c text); CREATE TYPE nest AS (p pair); CREATE DOMAIN dpair AS pair; CREATE EXTENSION hstore));
# Type and values there, type here: the values that arrive, or the SQLSTATE of the rows that do not; 42804: of the call.
my @cases = (
	[ 'int', [ 1, -2147483648 ], 'bigint', '1 -2147483648' ], [ 'bigint', [ 1, 3000000000 ], 'int', '1 22003' ], [ 'int', [1], 'numeric(5,2)', '1.00' ], [ 'int', [ 'NULL', 1 ], 'int NOT NULL', '23502 1' ],
	[ 'varchar(10)', ["'abc  '"], 'text', 'abc  ' ], [ 'text', [ "'abc'", "'abcdef'", "'abc     '" ], 'varchar(3)', 'abc 22001 abc' ], [ 'char(5)', ["'ab'"], 'varchar(5)', 'ab   ' ], [ 'text', ["'ab'"], 'char(4)', 'ab' ],
	[ 'numeric', [ '1.005', 99999, '1.0' ], 'numeric(4,2)', '1.01 22003 1.00' ], [ 'numeric', [ "'NaN'", "'Infinity'", 0.1 ], 'float8', 'NaN Infinity 0.1' ], [ 'float8', [ 0.1, '1e300' ], 'float4', '0.1 22003' ],
	[ 'float8', [ '0.30000000000000004', "'-0'", "'NaN'" ], 'numeric', '0.30000000000000004 0 NaN' ], [ 'float4', [0.1], 'float8', '0.1' ], [ 'numeric', ['5.5'], 'int', '22P02' ],
	[ 'timestamp', ["'2024-05-06 07:08:09.5'"], 'timestamp(0)', '2024-05-06 07:08:10' ], [ 'timestamp', ["'2024-05-06 07:08:09'"], 'timestamptz', '2024-05-06 07:08:09+00' ], [ 'date', [ "'2024-02-03'", "'infinity'" ], 'timestamp', '2024-02-03 00:00:00 infinity' ],
	[ 'text', [ "'1'", "'x'", "''" ], 'int', '1 22P02 22P02' ], [ 'int', [7], 'text', '7' ], [ 'text', [ "'2024-02-03'", "'2024-02-30'" ], 'date', '2024-02-03 22008' ], [ 'bytea', ["'\\x00ff'"], 'text', '\\x00ff' ],
	[ 'json', [ q('{"a":1,"a":2}'), q('"\u0000"') ], 'jsonb', '{"a": 2} 22P05' ], [ 'jsonb', [q('{"b": 1}')], 'json', '{"b": 1}' ], [ 'uuid', [q('00000000-0000-0000-0000-000000000001')], 'text', '00000000-0000-0000-0000-000000000001' ],
	[ 'mood', [ "'sad'", "'ok'", "'happy'" ], 'mood', 'sad 22P02 happy' ], [ 'mood', ["'ok'"], 'text', 'ok' ], [ 'mood[]', [ "'{sad,sad}'", "'{ok}'" ], 'mood[]', '{sad,sad} 22P02' ], [ 'small', [ 5, 50 ], 'small', '5 23514' ], [ 'other', ["'1'"], 'other', '42804' ],
	[ 'pair', ["'(1,2)'"], 'pair', '42804' ], [ 'pair[]', [q('{"(1,2)"}')], 'pair[]', '42804' ], [ 'nest', [q('("(1,2)")')], 'nest', '42804' ], [ 'dpair', ["'(1,2)'"], 'dpair', '42804' ], [ 'trio', ["'(1,2,3)'"], 'trio', '(1,2,3)' ], [ 'ext.hstore', [q('a=>1')], 'hstore', '"a"=>"1"' ],
	[ 'int', [1], 'bool', '42804' ], [ 'int[]', [ "'{1,2}'", "'{}'" ], 'bigint[]', '{1,2} {}' ], [ 'int', [1], 'int[]', '42804' ], [ 'point', ["'(1,2)'"], 'box', '22P02' ], [ 'int4range', ["'[1,2]'"], 'int8range', '[1,3)' ], [ 'bit(3)', ["'101'"], 'bit(4)', '22026' ], [ 'inet', ["'10.1.2.3/8'"], 'cidr', '22P02' ],
	[ 'interval', ["'1 mon -1 day'"], 'interval', '1 mon -1 days' ], [ 'regclass', [ "'pg_class'", "'only_there'" ], 'regclass', 'pg_class 42P01' ], [ 'regclass', [ "'pg_class'", "'only_there'" ], 'text', 'pg_class public.only_there' ]);
on_a('CREATE TABLE only_there (id int)');
my $intervals = "SET intervalstyle = 'postgres';";
foreach my $case (@cases)
{
	my ($theirs, $values, $ours, $expected) = @$case;
	my $n = 0;
	on_a("$intervals DROP TABLE IF EXISTS differs; CREATE TABLE differs (id int PRIMARY KEY, v $theirs); INSERT INTO differs VALUES " . join(', ', map { '(' . ++$n . ", $_)" } @$values));
	if ($expected eq '42804')
	{
		on_b("DROP TABLE IF EXISTS differs; CREATE TABLE differs (id int PRIMARY KEY, v $ours)");
		fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'differs');)), '42804', qr/Column v is .* there and .* here/, "$theirs to $ours");
		next;
	}
	# By sets, and in bulk where no row fails.
	my $both = join('', map { <<"SQL" } q('online'), q('auto'));
DROP TABLE IF EXISTS differs;
CREATE TABLE differs (id int PRIMARY KEY, v $ours);
SELECT errors AS e FROM sync_transfer(:c, 'differs', max_errors => 10, mode => $_) \\gset
SELECT string_agg(v, ' ' ORDER BY id) FROM (SELECT id, v::text FROM differs UNION ALL SELECT (e->'key'->>'id')::int, e->>'sqlstate' FROM jsonb_array_elements(:'e') e) u(id, v);
SQL
	is(pulled("SET timezone = 'UTC';\n$both"), "$expected\n$expected", "$theirs to $ours");
}

# ---- code of users meets its own settings --------------------------------------------------------

on_a(q(CREATE TABLE checked (id int, v int, c regclass, r float8); INSERT INTO checked VALUES (1, 2, 'pg_class', 1), (2, 1, 'pg_class', 1)));
on_b(q(CREATE SCHEMA mine; SET search_path = mine; CREATE FUNCTION limits() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 10';
	CREATE FUNCTION fits(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN $1 < limits() AND '2024-02-03'::date::text = '03.02.2024'; END $$;
	CREATE DOMAIN fitting AS int CHECK (fits(VALUE)); CREATE TABLE public.checked (id int, v fitting, c regclass, r float4, d text DEFAULT '2024-02-03'::date);
	CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.d := '2024-02-03'::date; RETURN NEW; END $$;));
foreach my $way (q(mode => 'auto'), q(mode => 'online'))
{
	on_b('TRUNCATE checked');
	is(pulled("SET search_path = mine, public; SET datestyle = german;\nSELECT created, error_count FROM sync_transfer(:c, 'checked', $way);"), '2|0', "a domain's constraint, $way");
}
# A row that is refused last leaves nothing of ours in force for the triggers of those before it.
on_a(q(UPDATE checked SET r = 1e300 WHERE id = 2));
on_b('CREATE TRIGGER seen BEFORE INSERT ON checked FOR EACH ROW EXECUTE FUNCTION mine.seen(); TRUNCATE checked');
is(pulled("SET search_path = mine, public; SET datestyle = german;\nSELECT created, error_count FROM sync_transfer(:c, 'checked', max_errors => 1);\nSELECT d FROM checked;\nTRUNCATE checked;\n"
	. q(SELECT created, error_count FROM sync_import('checked', '[{"id": 1, "v": 1}, {"id": 2, "v": 1, "r": 1e300}]'); SELECT d FROM checked;)), "1|1\n03.02.2024\n1|1\n03.02.2024", 'after a row that was refused');

# What a default says does not depend on the sender's settings.
on_a(q(SET datestyle = german; CREATE TABLE defaulted (id int PRIMARY KEY, d date DEFAULT '03.02.2024', i interval DEFAULT '-1 mon +2 days', y bytea DEFAULT '\x00ff', f float8 DEFAULT 0.1)));
is(pulled(q(SELECT created FROM sync_transfer(:c, 'defaulted'); INSERT INTO defaulted (id) VALUES (1); SELECT * FROM defaulted;)), "0\n1|2024-02-03|-1 mons +2 days|\\x00ff|0.1", 'defaults');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
