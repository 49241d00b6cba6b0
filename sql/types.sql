-- Values through JSON and back: exact, under whatever settings.
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"', '');
CREATE TYPE pair AS (a int, "b c" text);
CREATE TYPE nest AS (p pair, ps pair[], j jsonb);
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE DOMAIN smalls AS small[];
CREATE DOMAIN pair_domain AS pair;
CREATE TABLE v (id int PRIMARY KEY,
    bo bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8, n numeric, m money,
    t text, vc varchar(10), ch char(5), nm name, c1 "char", by bytea, u uuid,
    d date, ti time, tz timetz, ts timestamp, tsz timestamptz, iv interval,
    ip inet, cd cidr, ma macaddr, m8 macaddr8, bi bit(9), vb varbit, lsn pg_lsn,
    js json, jb jsonb, jp jsonpath, x xml, tv tsvector, tq tsquery,
    po point, bx box, pg polygon, r int4range, nr numrange, tr tstzrange, mr int8multirange,
    ai int[], at text[], aj jsonb[], ad timestamptz[], ac pair[],
    mo mood, co pair, ne nest, sm small, sms smalls, pd pair_domain, h hstore,
    rc regclass, rt regtype, rp regprocedure, rn regnamespace, rr regrole);
INSERT INTO v (id) VALUES (0);
INSERT INTO v VALUES (1,
    true, 32767, -2147483648, 9223372036854775807, 4294967295, 3.4028235e38, 5e-324, 123456789012345678901234567890.123456789, '$92,233,720,368,547,758.07',
    'it''s "text" \ / é ☃ 😀', 'varchar', 'abc', repeat('n', 63), 'x', '\x00ff5c7834', '00000000-0000-0000-0000-00000000000f',
    '0044-03-15 BC', '24:00', '12:34:56.789+14:59', '294276-12-31 23:59:59.999999', '4713-01-01 BC', '-178000000 years -1 day -00:00:00.000001',
    '10.1.2.3/8', 'fe80::/10', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', B'101010101', B'', 'FFFFFFFF/FFFFFFFF',
    '{"b": 1, "a": [1, 1.0, 1.00, 1e400], "b":  2}', '{"b": 1, "a": [1.0, 1.00, 1e400, "\ud83d\ude00"], "": null}', '$.a[*] ? (@ > 1)', '<a b="c">d<!-- e --></a>', $$'it''s':1A,2B x$$, 'a & !b:*A',
    '(1.5,-2)', '(2,2),(1,1)', '((0,0),(1,1),(1,0))', '[1,)', 'empty', '["-infinity",infinity]', '{[1,2),[5,9)}',
    '{{1,2},{3,NULL}}', '{"",NULL,"NULL","a b","{}","\"","\\"}', ARRAY['null'::jsonb, '"s"', '[1,2]', '5', '{"a": 1}'], '{2024-01-01 00:00:00+02,infinity}', ARRAY[(1, NULL)::pair, NULL, (NULL, 'x y')::pair],
    '', '(1,"x ""y""")', ROW((1, 'x')::pair, ARRAY[(2, 'y')::pair], '{"k": "v"}'), 999, '{1,2}', '(3,z)', '"a"=>"1", "b c"=>NULL, ""=>"\""',
    'pg_catalog.pg_class', 'mood', 'pg_catalog.upper(text)', 'pg_catalog', current_user::regrole);
INSERT INTO v (id, f4, f8, n, d, ts, tsz, jb, js, ai, at, ch) VALUES
    (2, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', 'infinity', 'null', 'null', '[0:1]={1,2}', '{}', ''),
    (3, '-0', '-0', '-Infinity', '-infinity', '2000-02-29', '1900-01-01', '"5"', '"5"', '[2:2][-1:0]={{1,2}}', '{{{a}}}', ' x'),
    (4, 0.1, 0.1, 'Infinity', '5874897-12-31', '0001-01-01 BC', '1969-12-31 23:59:59.999999', '{"__jsonb__": 1}', '  [1 , 2]', '{}', '{NULL}', 'é'),
    (5, 1e-45, 1.7976931348623157e308, 1.0, '2024-02-29', 'epoch', 'epoch', '{"__json__": "x"}', '{"a":1,"a":2}', NULL, NULL, NULL),
    (6, 16777216, 0.30000000000000004, 1.00, NULL, NULL, NULL, '[]', '5', NULL, NULL, NULL),
    (7, NULL, NULL, 0.000000000000000000000000000000000001, NULL, NULL, NULL, '{}', '"x"', NULL, NULL, NULL),
    (8, NULL, NULL, 1e500, NULL, NULL, NULL, '"null"', 'true', NULL, NULL, NULL),
    (9, NULL, NULL, '0e-16383', NULL, NULL, NULL, 'true', E'{"a" :\n1}', NULL, NULL, NULL);
CREATE TABLE w (LIKE v INCLUDING ALL);

-- Exported under one set of settings, imported under another; then the texts of all rows agree.
SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = -15;
SET bytea_output = 'escape'; SET xmloption = 'document'; SET lc_monetary = 'C';
CREATE TEMP TABLE carried AS SELECT row_number() OVER () AS n, r FROM sync_export('v', 1000) r;
SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 3;
SET bytea_output = 'hex';
SELECT (r).created, (r).errors FROM (SELECT sync_import('w', (SELECT jsonb_agg(r ORDER BY n) FROM carried)) AS r OFFSET 0) s;
RESET ALL;
SELECT v.id, v::text = w::text AS equal FROM v FULL JOIN w USING (id) ORDER BY 1;
SELECT sync_checksum('v') = sync_checksum('w') AS equal;
SELECT (sync_import('w', (SELECT jsonb_agg(r) FROM carried), 'overwrite')).skipped;

-- What the JSON looks like.
SELECT key, value FROM carried, jsonb_each(r) WHERE r->>'id' = '1' AND key <> 'rr' ORDER BY key COLLATE "C";
SELECT r->'id' AS id, r->'f4' AS f4, r->'f8' AS f8, r->'n' AS n, r->'d' AS d, r->'ts' AS ts, r->'jb' AS jb, r->'js' AS js, r->'ai' AS ai FROM carried WHERE r->>'id' NOT IN ('0', '1', '8', '9') ORDER BY 1;

-- Other forms that are understood: text for anything, numbers and booleans where their text is, plain JSON for json and jsonb.
TRUNCATE w;
SELECT (r).created, (r).errors FROM (SELECT sync_import('w', '[
    {"id": "1", "bo": "yes", "i2": "7", "i8": 5.0, "n": "1e3", "f8": "Infinity", "t": 5, "vc": true, "ai": "{1,2}", "at": [1, true, null, "x"], "co": "(1,x)",
     "js": {"a": [1, {"b": null}]}, "jb": "text", "ac": [{"a": 1}, null], "co": {"b c": "only"}, "d": "2024-02-03", "sms": [1, 2], "h": "a=>1"}]') AS r OFFSET 0) s;
SELECT bo, i2, i8, n, f8, t, vc, ai, at, co, js, jb, ac, d, sms, h FROM w;

-- And what is not.
SELECT e->>'position' AS pos, e->>'sqlstate' AS sqlstate, e->>'message' AS message FROM jsonb_array_elements((sync_import('w', '[
    {"id": 11, "i4": 5.5}, {"id": 12, "i4": [1]}, {"id": 13, "t": {"a": 1}}, {"id": 14, "ai": [[1], [2, 3]]}, {"id": 15, "ai": [1, [2]]}, {"id": 16, "ai": [[1], 2]},
    {"id": 17, "co": {"nix": 1}}, {"id": 18, "sm": 1000}, {"id": 19, "sms": [1, 1000]}, {"id": 20, "i2": 40000}, {"id": 21, "mo": "happy"}, {"id": 22, "u": "x"},
    {"id": 23, "vc": "12345678901"}, {"id": 24, "ai": [[[[[[[1]]]]]]]}, {"id": 25, "d": "infinite"}, {"id": 26, "ac": [1]}, {"id": 27, "js": {"__json__": "{"}},
    {"id": 28, "rc": "no_such"}, {"id": 29, "i8": 9223372036854775808}, {"id": 30, "m": 1.5}]')).errors) e;
SELECT id FROM w WHERE id > 10;

-- Vectors are no arrays, though they look like them; a "char" may be a byte that is no character.
CREATE TABLE bytes (id int PRIMARY KEY, i int2vector, o oidvector, c "char", cs "char"[]);
INSERT INTO bytes VALUES (1, '1 -2', '3 4294967295', (-128)::"char", ARRAY[(-1)::"char", 'x']), (2, '', '', '\', '{}'), (3, NULL, NULL, '', NULL);
SELECT r FROM sync_export('bytes') r;
CREATE TABLE bytes_back (LIKE bytes INCLUDING ALL);
SELECT (r).created, (r).errors FROM (SELECT sync_import('bytes_back', (SELECT jsonb_agg(r) FROM sync_export('bytes') r)) AS r OFFSET 0) s;
SELECT sync_checksum('bytes') = sync_checksum('bytes_back') AS equal;
SELECT e->>'position' AS pos, e->>'message' AS message FROM jsonb_array_elements((sync_import('bytes', '[{"id": 4, "i": [1, null]}, {"id": 5, "o": [[1], [2]]}, {"id": 6, "o": "x"}]')).errors) e;

DROP TABLE v, w, bytes, bytes_back;
DROP DOMAIN pair_domain, smalls, small;
DROP TYPE nest, pair, mood;
DROP EXTENSION hstore;
