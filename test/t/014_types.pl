# Every type's awkward values go there and back again: in bulk, by sets, and through JSON, between servers whose settings differ.
use strict;
use warnings;
use lib 'perl';
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender', conf => <<'CONF');
datestyle = 'german'
timezone = 'America/St_Johns'
intervalstyle = 'sql_standard'
extra_float_digits = -15
bytea_output = 'escape'
xmloption = 'document'
array_nulls = off
CONF
my $b = new_sync_node('receiver', conf => <<'CONF');
datestyle = 'sql, mdy'
timezone = 'Asia/Kathmandu'
intervalstyle = 'iso_8601'
extra_float_digits = 3
standard_conforming_strings = off
backslash_quote = on
quote_all_identifiers = on
CONF
my $url = sync_url($a);

# What the types need, the same on both sides under other OIDs.
$b->safe_psql('postgres', 'CREATE TABLE shifts_oids (id serial PRIMARY KEY); CREATE TYPE shifts_more AS ENUM (); CREATE SCHEMA bulk; CREATE SCHEMA sets; CREATE SCHEMA json');
my @contrib = grep { -e $a->config_data('--sharedir') . "/extension/$_.control" } qw(hstore citext ltree cube seg isn intarray);
my $types = join('', map { "CREATE EXTENSION $_;\n" } @contrib) . <<'SQL';
SET standard_conforming_strings = on;
CREATE ROLE "Rôle ""x""";
CREATE SCHEMA "Schéma %";
CREATE TABLE "Schéma %"."Täble ""%"" .x" (id int);
CREATE TYPE "Schéma %"."Enüm" AS ENUM ('', 'a b', 'it''s', '"q"', '{,}', 'NULL', '\', 'ü', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE nest AS (p pair, ps pair[], j jsonb, c regclass, m money, t timestamptz, i interval, f float8, y bytea, x xml);
CREATE DOMAIN d1 AS int CHECK (VALUE < 1000);
CREATE DOMAIN d2 AS d1 CHECK (VALUE > -1000);
CREATE DOMAIN d3 AS d2[] CHECK (cardinality(VALUE) < 50);
CREATE DOMAIN dv AS varchar(5);
CREATE DOMAIN dpair AS pair;
CREATE DOMAIN denum AS "Schéma %"."Enüm" DEFAULT 'ü';
CREATE TYPE moneyrange AS RANGE (subtype = money);
CREATE TYPE classrange AS RANGE (subtype = regclass, subtype_opclass = oid_ops);
CREATE TYPE pairrange AS RANGE (subtype = nest2);
SQL
# A range over a composite type, whose text depends on settings two levels down.
$types =~ s/(CREATE TYPE pairrange)/CREATE TYPE nest2 AS (t timestamptz, m money);\n$1/;
$_->safe_psql('postgres', $types) foreach $a, $b;

# A value is SQL text of a literal; all take their type's input.
my @unicode = map { chr } 0x1, 0x7f, 0x85, 0xa0, 0x301, 0x200b, 0x202e, 0x2028, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xffff, 0x1f600, 0x2a6d6, 0x3134a, 0xe0001, 0xf0000, 0x10ffff;
utf8::encode($_) foreach @unicode;
my @text = ('', ' ', 'NULL', 'null', '\\N', '\\.', "a\nb\r\nc\td", '2024-02-30', '12:00', '1e5', '{"a": 1}', '[]', '{a,b}', '(1,2)', "it's \"q\" \\ %s %n ?", "\\u0000", "\\x00", 'e' . "\xcc\x81", join('', @unicode), @unicode, 'x' x 5000);
my @json = ('null', 'true', '"x"', '0', '1.0', '1e400', '-0', '12345678901234567890.0000', '[]', '{}', '[null, [[], {}]]', '{"a": 1, "a": 2}', '{"": {"__jsonb__": null}}', '{"__jsonb__": 1}', '{"__json__": "x"}', '{"\u00e4\ud83d\ude00": "\"\\\\/\b\u0001"}');
my $digits = '9' x 131072 . '.' . '1' x 16383;
my %matrix = (
	bool => [ 't', 'f' ], int2 => [ -32768, 32767, 0 ], int4 => [ -2147483648, 2147483647 ], int8 => [ '-9223372036854775808', '9223372036854775807', 9007199254740993 ],
	oid => [ 0, 4294967295 ], xid => [ 4294967295, 3 ], xid8 => [ '18446744073709551615', 0 ], cid => [ 4294967295 ], tid => [ '(0,0)', '(4294967295,65535)' ],
	float4 => [ 'NaN', 'Infinity', '-Infinity', '-0', '0', '1e-45', '-1e-45', '3.4028235e38', '1.17549435e-38', '0.1', '16777217' ],
	float8 => [ 'NaN', 'Infinity', '-Infinity', '-0', '0', '4.9e-324', '1.7976931348623157e308', '2.2250738585072011e-308', '0.30000000000000004', '1e23', '9007199254740993' ],
	numeric => [ 'NaN', 'Infinity', '-Infinity', '0', '0.000', '3000', '3000.0', '3000.00', '-1e-16383', '1e131071', '1' . '0' x 40, $digits, "-$digits" ],
	'numeric(5,-2)' => [ '1234500', '-100', '0' ], 'numeric(3,5)' => [ '0.00999' ], 'numeric(20,4)' => [ '1', '-0.0001', 'NaN' ],
	money => [ '-92233720368547758.08', '92233720368547758.07', '0', '-0.01' ],
	text => \@text, varchar => \@text, bpchar => [ '', 'x', 'x  ', '  x' ], 'varchar(5)' => [ 'abc  ', "\xc3\xa4" x 5, '' ], 'char(5)' => [ '', 'ab', ' ab', "\xf0\x9f\x98\x80" x 5 ],
	'"char"' => [ '', 'x', '\\', "'", ' ', '"' ], name => [ '', 'n' x 63, 'a "b" %', "\xc3\xa4" x 31 ], citext => [ 'AbC', 'abc', "\xc3\x84" ],
	bytea => [ '', '\x00', '\x27225c00ff0a', '\xc3a4', '\x' . '00ff' x 5000 ], uuid => [ '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
	date => [ 'infinity', '-infinity', '4713-11-24 BC', '0001-12-31 BC', '0001-01-01', '5874897-12-31', '10000-01-01', '2000-02-29' ],
	time => [ '00:00', '24:00:00', '23:59:59.999999', '00:00:00.000001' ], 'time(3)' => [ '12:34:56.789' ], timetz => [ '00:00+15:59:59', '24:00:00-15:59:59', '12:00:00.000001+05:45', '12:00+00' ],
	timestamp => [ 'infinity', '-infinity', '4713-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999', '1999-12-31 23:59:59.999999', '1970-01-01', '0001-01-01 00:00:00.000001 BC' ], 'timestamp(0)' => [ '2024-06-30 23:59:59' ],
	timestamptz => [ 'infinity', '-infinity', '4713-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '2024-03-31 01:30:00+01', '1883-11-18 12:00:00-04:56:02', '2024-11-03 01:30:00-04', '2024-11-03 01:30:00-05', '0044-03-15 00:00 BC' ],
	interval => [ '0', '1 mon -1 day 00:00:01', '-1 mon +1 day -00:00:00.000001', '178956970 years 7 mons 2147483647 days 2562047788:00:54.775807', '-178956970 years -8 mons -2147483648 days -2562047788:00:54.775807', '1 year 2 mons -3 days -04:05:06.7', '30 days', '1 mon', '720:00:00', '-0.5 sec' ],
	'interval day to second(3)' => [ '5 days 01:02:03.456' ],
	inet => [ '10.1.2.3/8', '0.0.0.0/0', '::/0', '::ffff:1.2.3.4', 'fe80::1/64' ], cidr => [ '10.0.0.0/8', '::/0', 'fe80::/10', '1.2.3.4/32' ], macaddr => [ '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff' ], macaddr8 => [ '08:00:2b:01:02:03:04:05' ],
	'bit(3)' => [ '101', '000' ], varbit => [ '', '1', '101010101', '0' x 1000 ], pg_lsn => [ '0/0', 'FFFFFFFF/FFFFFFFF' ],
	json => [ @json, '{"b" :1,"a":  2 , "b":3}', ' "\u0000" ', '"\ud800"', " [1 ,\n2]", '1E+5' ], jsonb => \@json, jsonpath => [ '$', 'strict $."a b"[*] ? (@ like_regex "^x\\\\y" flag "i" && @.size() > 1)', '$[last - 1].**{2 to last}' ],
	xml => [ '<a b="c">d<!-- e --><![CDATA[ <x> ]]></a>', 'text only &amp;', '<a/><b/>', '<?xml version="1.0" standalone="yes"?><ä>ö</ä>', '', "<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>", '<?pi x?>' ],
	tsvector => [ '', q('a':1A,2B,3C,4 'b c':5 'it''s' '\\\\'), "'\xc3\xa4':16383" ], tsquery => [ '', q('a' & !'b':*AB | 'c' <3> 'd'), q('it''s' <-> 'x y') ],
	point => [ '(1.5,-2)', '(NaN,Infinity)', '(-0,4.9e-324)' ], line => [ '{1,-1,0}', '{0,-1,0.1}' ], lseg => [ '[(0,0),(1e300,-0)]' ], box => [ '(2,2),(1,1)', '(0,0),(0,0)' ], path => [ '[(0,0),(1,1)]', '((0,0),(1,1),(1,0.1))' ], polygon => [ '((0,0),(1,1),(1,0))' ], circle => [ '<(0.1,-0),0>', '<(0,0),Infinity>' ],
	int4range => [ 'empty', '(,)', '[1,)', '(,5]', '[-2147483648,2147483647)' ], int8range => [ '[1,2]', 'empty' ], numrange => [ '[1.0,1.00]', '(1,)', '[NaN,NaN]', '(-Infinity,Infinity)', 'empty' ], daterange => [ '[2024-01-01,infinity)', '[2024-01-01,infinity]', '(,-infinity)', '[4713-11-24 BC,2024-01-01)' ],
	tsrange => [ '["2024-01-01 00:00:00.000001","294276-01-01")', '[-infinity,infinity]', '(,)' ], tstzrange => [ '(2024-01-01 00:00+05:45,2024-01-02 00:00-03:30]', 'empty' ],
	int4multirange => [ '{}', '{[1,2),[5,9)}', '{(,)}' ], nummultirange => [ '{[1.0,1.00],(2,3.50)}', '{}' ], datemultirange => [ '{(,2024-01-01),[2024-02-01,infinity]}' ], tstzmultirange => [ '{[-infinity,2024-01-01 00:00+00)}' ],
	regclass => [ '-', 'pg_class', '"Schéma %"."Täble ""%"" .x"', 'information_schema.tables' ], regtype => [ '-', 'int', '"Schéma %"."Enüm"[]', 'pair', 'character varying' ], regproc => [ '-', 'now', 'sync_enabled' ], regprocedure => [ '-', 'upper(text)', 'sync_enabled()', 'sum(int)' ], regoper => [ '0', '|/' ], regoperator => [ '0', '+(int,int)', '!!(NONE,tsquery)' ],
	regrole => [ '-', '"Rôle ""x"""' ], regnamespace => [ '-', '"Schéma %"', 'pg_catalog' ], regconfig => [ '-', 'english' ], regdictionary => [ '-', 'simple' ], regcollation => [ '-', '"C"', 'und-x-icu' ],
	pg_snapshot => [ '10:20:10,14,15' ], txid_snapshot => [ '1:1:' ], int2vector => [ '', '1 2 -3' ], oidvector => [ '', '0 4294967295' ], refcursor => [ '', 'c "x"' ], aclitem => [ '=r/"Rôle ""x"""' ],
	'"Schéma %"."Enüm"' => [ '', 'a b', "it's", '"q"', '{,}', 'NULL', '\\', 'ü', 'a' x 63 ], denum => [ 'ü' ], d1 => [ 999 ], d2 => [ -999 ], dv => [ 'ab' ], d3 => [ '{}', '{1,NULL}', '[0:1]={1,2}' ],
	pair => [ '(,)', '(1,)', '(,"")', '(-1,"x ""y"" \\\\ ,()")' ], dpair => [ '(1,x)' ], moneyrange => [ '[1.00,"$2,000.50")', 'empty' ], classrange => [ '[pg_proc,pg_class]' ], pairrange => [ q(["(""2024-01-01 00:00:00+00"",""$1.00"")","(""2024-01-02 00:00:00+00"",""$2.00"")"]) ],
	nest => [ q|(,,,,,,,,,)|, q|("(1,""x y"")","{""(1,)"",NULL,""(,\\\\""\\\\"")""}","{""a"": 1.00}",pg_class,"$1,000.00","2024-01-01 00:00:00+05:45","-1 mon +1 day","0.1","\\\\x00","<a/>")| ],
	hstore => [ '', '"a"=>"1", "b c"=>NULL, ""=>"\\""', "\"\xc3\xa4\"=>\"=>\"" ], ltree => [ '', 'Top.a_1' ], lquery => [ '*.a|b*@{1,2}' ], cube => [ '(0.1,-0),(1,2)' ], seg => [ '~1.50 .. 2.000' ], isbn => [ '978-0-393-04002-9' ], ean13 => [ '978-0-393-04002-9!' ], query_int => [ '1&(2|!3)' ],
);
my %needs = (hstore => 'hstore', citext => 'citext', ltree => 'ltree', lquery => 'ltree', cube => 'cube', seg => 'seg', isbn => 'isn', ean13 => 'isn', query_int => 'intarray');
foreach my $type (sort keys %needs)
{
	next if grep { $_ eq $needs{$type} } @contrib;
	note("$type is not tested: $needs{$type} is not installed");
	delete $matrix{$type};
}

# A table for each type: its values, alone and in arrays with nulls, of two dimensions, with other lower bounds, and empty.
my @names = sort keys %matrix;
my $fill = "SET standard_conforming_strings = on;\nSET datestyle = 'iso, ymd';\nSET intervalstyle = 'postgres';\nSET xmloption = content;\nSET array_nulls = on;\n";
foreach my $i (0 .. $#names)
{
	my $type = $names[$i];
	my @literals = map { "'" . s/'/''/gr . "'" } @{ $matrix{$type} };
	$fill .= "CREATE TABLE m$i (id int PRIMARY KEY, v $type, a $type\[]);\n";
	my $n = 0;
	$fill .= "INSERT INTO m$i (id, v) VALUES " . join(', ', map { '(' . ++$n . ", $_)" } @literals) . ", (0, NULL);\n";
	$fill .= "INSERT INTO m$i (id, a) VALUES (-1, '{}'), (-2, ARRAY[NULL]::$type\[]);\n";
	$fill .= "INSERT INTO m$i (id, a) SELECT -3, array_agg(v ORDER BY id) FROM m$i WHERE length(v::text) < 10000;\n" unless $type =~ /^(d3|\w+vector)$/;
	$fill .= "INSERT INTO m$i (id, a) SELECT -4, ARRAY[a, a] FROM m$i WHERE id = -3 AND cardinality(a) > 0;\n" unless $type =~ /^(d3|\w+vector)$/;
	$fill .= "UPDATE m$i SET a[0] = a[1] WHERE id = -2;\nINSERT INTO m$i (id, a) SELECT -5, a FROM m$i WHERE id = -2;\n";
}
$fill .= "ALTER TABLE m$_ ADD fast int[] DEFAULT '{1,NULL}'::int[];\n" foreach 0 .. $#names;
$a->safe_psql('postgres', $fill);

# The text of all rows, under settings of their own.
my $fixed = "SET datestyle = 'iso, ymd'; SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET search_path = pg_catalog; SET quote_all_identifiers = off; SET xmloption = content; SET standard_conforming_strings = on;\n";
sub texts
{
	my ($node, $schema, $what) = @_;
	my $columns = $what eq 'rows' ? 'md5(string_agg(t::text, chr(10) ORDER BY id))' : '';
	my $sql = join('', map { my $t = "$schema.m$_"; $what eq 'sums'
		  ? "SELECT $_, public.sync_checksum('$t');\n"
		  : "SELECT $_, pg_catalog.md5(pg_catalog.string_agg(t::pg_catalog.text, pg_catalog.chr(10) ORDER BY id)) FROM $t AS t;\n" } 0 .. $#names);
	return { map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('postgres', ($what eq 'sums' ? '' : $fixed) . $sql) };
}
my $want_rows = texts($a, 'public', 'rows');
my $want_sums = texts($a, 'public', 'sums');
sub all_equal
{
	my ($schema, $what) = @_;
	my ($rows, $sums) = (texts($b, $schema, 'rows'), texts($b, $schema, 'sums'));
	my @differ = grep { ($rows->{$_} // '') ne $want_rows->{$_} } 0 .. $#names;
	is(join(', ', map { $names[$_] } @differ), '', "$what: every row has the same text");
	@differ = grep { ($sums->{$_} // '') ne $want_sums->{$_} } 0 .. $#names;
	is(join(', ', map { $names[$_] } @differ), '', "$what: and the same checksum");
	return;
}

# In bulk (tables that were never analysed are taken for large), by sets, through JSON of a page.
my $script = '';
foreach my $i (0 .. $#names)
{
	$script .= "SELECT '$i', created, error_count, errors->0 FROM sync_transfer(:c, 'm$i');\n";
	$script .= "CREATE TABLE sets.m$i (LIKE m$i INCLUDING ALL);\nCREATE TABLE json.m$i (LIKE m$i INCLUDING ALL);\n";
	$script .= "SELECT '$i', created, error_count, errors->0 FROM sync_transfer(:c, 'm$i', 'sets.m$i', mode => 'online');\n";
	$script .= "SELECT '$i', created, error_count, errors->0 FROM sync_import('json.m$i', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, 'm$i') r));\n";
}
my $counts = $a->safe_psql('postgres', join('', map { "SELECT '$_', count(*), 0, NULL FROM m$_;\n" } 0 .. $#names));
my $out = run_script($b, $a, "SET client_min_messages = warning;\n$script");
is($out, join("\n", map { ($_) x 3 } split /\n/, $counts), 'every row goes over, in every way');
all_equal('public', 'in bulk');
all_equal('sets', 'by sets');
all_equal('json', 'through JSON');

# They are known as equal; and back they go, through JSON of the other side.
$out = run_script($b, $a, join('', map { "SELECT '$_', updated FROM sync_transfer(:c, 'm$_', strategy => 'overwrite');\n" } 0 .. $#names));
is(join(', ', map { $names[$1] if /^(\d+)\|[1-9]/ } grep { !/\|0$/ } split /\n/, $out), '', 'nothing is written again');
$a->safe_psql('postgres', join('', map { "CREATE TABLE back.m$_ (LIKE m$_ INCLUDING ALL);\n" } 0 .. $#names) =~ s/^/CREATE SCHEMA back;\n/r);
my @back = split /\n/, run_script($a, $b, join('', map { "SELECT '$_', created, error_count, errors->0 FROM sync_transfer(:c, 'json.m$_', 'back.m$_');\n" } 0 .. $#names));
is(join("\n", @back), $counts, 'and back');
{
	my $sums = texts($a, 'back', 'sums');
	is(join(', ', map { $names[$_] } grep { $sums->{$_} ne $want_sums->{$_} } 0 .. $#names), '', 'back: the same checksum');
}

# ---- other encodings -----------------------------------------------------------------------------

# What holds text, with letters that LATIN1 has too, through databases of every encoding and back.
my $letters = <<'SQL';
SET client_encoding = 'UTF8';
CREATE TYPE "Enüm" AS ENUM ('ä', 'ß "q"');
CREATE TYPE "Päar" AS ("ä" text, b "Enüm");
CREATE DOMAIN "Döm" AS text CHECK (VALUE <> 'ö');
SQL
my $table = q(CREATE TABLE "Zeichen ä" (id int PRIMARY KEY, t text, v varchar(10), c char(5), n name, e "Enüm", d "Döm", p "Päar", j json, jb jsonb, jp jsonpath, x xml, tv tsvector, tq tsquery, rc regclass, rt regtype, a text[], ea "Enüm"[], m text));
my $row = <<'SQL';
INSERT INTO "Zeichen ä" VALUES (1, 'äöüßéñ¿', 'äöüßé', 'ab', 'ñ', 'ß "q"', 'é', ('ä', 'ß "q"'), '{"ä": "é", "ä": 1}', '{"ä": ["é", "ü"]}', '$."ä" ? (@ == "ü")', '<ä ö="ü">é</ä>',
    $$'ä':1A 'ß'$$, $$'ä' & !'ö'$$, '"Zeichen ä"', '"Enüm"', '{ä,"ö ü",NULL}', '{ä,NULL}', repeat('ü', 3000)),
    (2, '', '', '', '', NULL, NULL, NULL, NULL, 'null', NULL, NULL, '', '', '-', '-', '{}', '{}', NULL);
SQL
foreach my $node ($a, $b)
{
	foreach my $encoding ('UTF8', 'LATIN1', 'SQL_ASCII')
	{
		$node->safe_psql('postgres', qq(CREATE DATABASE "in $encoding" TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'));
		$node->safe_psql("in $encoding", "CREATE EXTENSION sync; SELECT sync_enable(); SET standard_conforming_strings = on; $letters");
	}
}
$a->safe_psql("in $_", "SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; SET xmloption = content; SET array_nulls = on;\n$table;\n$row") foreach 'UTF8', 'LATIN1';
sub sum { my ($node, $db, $of) = @_; return $node->safe_psql($db, qq(SET client_encoding = 'UTF8'; SELECT sync_checksum('"$of ä"'))); }
my $expected = sum($a, 'in UTF8', 'Zeichen');
foreach my $way ([ 'UTF8', 'LATIN1', 'UTF8' ], [ 'LATIN1', 'UTF8', 'LATIN1' ], [ 'UTF8', 'SQL_ASCII', 'UTF8' ], [ 'UTF8', 'UTF8', 'LATIN1' ])
{
	my ($from, $over, $to) = map { "in $_" } @$way;
	my $name = join(' to ', @$way);
	$b->safe_psql($over, qq(SET client_encoding = 'UTF8'; DROP TABLE IF EXISTS "Zeichen ä", "Kopie ä"));
	my $set = "SET client_encoding = 'UTF8';\nSET client_min_messages = warning;\n";
	is( run_script($b, $a, <<"SQL", db => $from, to_db => $over), "2\n2|0\n2|0", "$name: goes over");
${set}SELECT created FROM sync_transfer(:c, '"Zeichen ä"');
CREATE TABLE "Kopie ä" (LIKE "Zeichen ä" INCLUDING ALL);
SELECT created, error_count FROM sync_import('"Kopie ä"', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, '"Zeichen ä"') r));
SELECT skipped, error_count FROM sync_transfer(:c, '"Zeichen ä"', strategy => 'overwrite');
SQL
	is(sum($b, $over, $_), $expected, "$name: $_ is equal") foreach 'Zeichen', 'Kopie';
	$a->safe_psql($to, qq(SET client_encoding = 'UTF8'; DROP TABLE IF EXISTS "Rück ä"));
	is(run_script($a, $b, qq(${set}SELECT created FROM sync_transfer(:c, '"Zeichen ä"', '"Rück ä"');), db => $over, to_db => $to), '2', "$name: and back");
	is(sum($a, $to, 'Rück'), $expected, "$name: equal again");
}
# Bytes that are no text go between databases that take them, and have a checksum.
$_->safe_psql('in SQL_ASCII', 'CREATE TABLE bytes (id int PRIMARY KEY, t text, a text[], n name)') foreach $a, $b;
$a->safe_psql('in SQL_ASCII', q(INSERT INTO bytes VALUES (1, E'\xff\xfe\x80', ARRAY[E'\xe4'], E'\xe4')));
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 'bytes');), db => 'in SQL_ASCII', to_db => 'in SQL_ASCII'), '1', 'bytes that are no text');
is($b->safe_psql('in SQL_ASCII', q(SELECT sync_checksum('bytes'))), $a->safe_psql('in SQL_ASCII', q(SELECT sync_checksum('bytes'))), 'are equal');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
