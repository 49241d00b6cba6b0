# Text between databases of different encodings, under different settings.
use strict;
use warnings;
use lib 'perl';
use Encode;
use PostgreSQL::Test::Utils;
use SyncTest;
use Test::More;

my $a = new_sync_node('sender');
my $b = new_sync_node('receiver', conf => <<'CONF');
datestyle = 'sql, dmy'
timezone = 'Asia/Kathmandu'
intervalstyle = 'iso_8601'
extra_float_digits = -10
bytea_output = 'escape'
CONF
foreach my $node ($a, $b)
{
	foreach my $encoding ('UTF8', 'LATIN1', 'SQL_ASCII')
	{
		my $db = lc $encoding;
		$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
		$node->safe_psql($db, 'CREATE EXTENSION sync; SELECT sync_enable()');
	}
}
my $url = sync_url($a);

# Names and values outside ASCII, in every form: plain, in arrays, in enums, in JSON, in composite types.
my $fill = <<'SQL';
SET client_encoding = 'UTF8';
CREATE TYPE "Größe" AS ENUM ('klein', 'groß');
CREATE TYPE paar AS (a text, b int);
CREATE TABLE "Straße" (id int PRIMARY KEY, "wört" text, v varchar(10), a text[], g "Größe", j jsonb, js json, p paar, n name, x xml, ts timestamptz, iv interval, f float8, by bytea);
INSERT INTO "Straße" VALUES (1, 'Ärger über Öl', 'é', '{ü,"ß a",NULL}', 'groß', '{"ö": "ä"}', '{"ö":"ä"}', ('ñ', 5), 'Ünamé', '<ä>ö</ä>', '2024-05-06 07:08:09.123456+00', '1 year 2 days 03:04:05.678', 0.1, '\x00ff'),
    (2, '', '', '{}', 'klein', 'null', '[]', NULL, '', '<a/>', '-infinity', '-1 mon', 'NaN', '');
SQL
foreach my $from ('utf8', 'latin1')
{
	$a->safe_psql($from, $fill);
	foreach my $to ('utf8', 'latin1')
	{
		$b->safe_psql($to, <<'SQL');
SET client_encoding = 'UTF8';
DROP TABLE IF EXISTS "Straße", "Kopie";
DROP TYPE IF EXISTS "Größe", paar;
CREATE TYPE "Größe" AS ENUM ('klein', 'groß');
CREATE TYPE paar AS (a text, b int);
SQL
		my $out = run_script($b, $a, <<'SQL', db => $from, to_db => $to);
SET client_encoding = 'UTF8';
SELECT name FROM sync_remote_list_tables(:c);
SELECT created, updated FROM sync_transfer(:c, '"Straße"');
SELECT created, updated FROM sync_transfer(:c, '"Straße"', strategy => 'overwrite');
SELECT r->>'wört', r->'p', r->'j' FROM sync_remote_fetch(:c, '"Straße"', 1) r;
CREATE TABLE "Kopie" (LIKE "Straße" INCLUDING ALL);
SELECT created, error_count FROM sync_import('"Kopie"', (SELECT jsonb_agg(r) FROM sync_remote_fetch(:c, '"Straße"') r));
SQL
		is($out, encode('UTF-8', "Stra\x{df}e\n2|0\n0|0\n\x{c4}rger \x{fc}ber \x{d6}l|{\"a\": \"\x{f1}\", \"b\": 5}|{\"\x{f6}\": \"\x{e4}\"}\n2|0"), "$from to $to");
		my $sums = encode('UTF-8', "SET client_encoding = 'UTF8'; SELECT sync_checksum('\"Stra\x{df}e\"')");
		my $sum = $a->safe_psql($from, $sums);
		is($b->safe_psql($to, $sums), $sum, 'equal by content');
		is($b->safe_psql($to, encode('UTF-8', "SET client_encoding = 'UTF8'; SELECT sync_checksum('\"Kopie\"')")), $sum, 'also through JSON');
	}
}

# A character that the other encoding does not have is an error of its row; a name, of the call.
$a->safe_psql('utf8', q(CREATE TABLE far (id int PRIMARY KEY, t text); INSERT INTO far SELECT i, CASE i WHEN 7 THEN U&'\2603' ELSE 'x' END FROM generate_series(1, 100) i; CREATE TABLE U&"\2603" (id int)));
fails_with($b, pull_script($a, q(SELECT sync_transfer(:c, 'far');), db => 'utf8'), '22P05', qr/Row 7 with key \{"id": 7\}/, 'a character that is missing here', db => 'latin1');
is( run_script($b, $a, q(SELECT created, error_count, errors->0->'key' FROM sync_transfer(:c, 'far', max_errors => 1);), db => 'utf8', to_db => 'latin1'),
	'99|1|{"id": 7}', 'is an error of its row');
fails_with($b, pull_script($a, q(SELECT sync_transfer_all(:c);), db => 'utf8'), '22P05', undef, 'a name that is missing here', db => 'latin1');

# SQL_ASCII holds bytes: what is no text of the other encoding is refused, what is goes through.
$a->safe_psql('sql_ascii', q(CREATE TABLE bytes (id int PRIMARY KEY, t text); INSERT INTO bytes VALUES (1, E'\xc3\xa4'), (2, E'\xe4'), (3, 'plain')));
is( run_script($b, $a, q(SELECT created, error_count, errors->0->'key' FROM sync_transfer(:c, 'bytes', max_errors => 1);), db => 'sql_ascii', to_db => 'utf8'),
	'2|1|{"id": 2}', 'SQL_ASCII to UTF8');
is($b->safe_psql('utf8', 'SELECT t FROM bytes WHERE id = 1'), encode('UTF-8', "\x{e4}"), 'is what it was');
is(run_script($b, $a, q(SELECT created FROM sync_transfer(:c, 'bytes');), db => 'sql_ascii', to_db => 'sql_ascii'), '3', 'SQL_ASCII to SQL_ASCII');
is($b->safe_psql('sql_ascii', q(SELECT t = E'\xe4' FROM bytes WHERE id = 2)), 't', 'byte by byte');

# The client's own encoding plays no part.
$b->safe_psql('utf8', 'DROP TABLE IF EXISTS far; CREATE TABLE far (id int PRIMARY KEY, t text)');
my $out = run_script($b, $a, qq(SET client_encoding = 'LATIN1';\nSELECT created FROM sync_transfer(:c, 'far');\nSHOW client_encoding;\nSET client_encoding = 'UTF8';\nSELECT t FROM far WHERE id = 7;), db => 'utf8', to_db => 'utf8');
is($out, "100\nLATIN1\n\xe2\x98\x83", 'whatever the client encoding');

no_leftovers($a, 'sender');
no_leftovers($b, 'receiver');
done_testing();
