-- Importing JSON records: forms, columns, bad input.
CREATE TABLE goods (id int PRIMARY KEY, name text NOT NULL DEFAULT 'unnamed', price numeric(10,2), twice numeric GENERATED ALWAYS AS (price * 2) STORED);
CREATE FUNCTION result(r sync_result) RETURNS text LANGUAGE sql AS
    $$ SELECT format('%s: %s created, %s updated, %s skipped, %s deleted, %s errors', r.table_name, r.created, r.updated, r.skipped, r.deleted, r.error_count) $$;
CREATE FUNCTION errors(r sync_result) RETURNS TABLE(pos int, key jsonb, sqlstate text, message text) LANGUAGE sql AS
    $$ SELECT (e->>'position')::int, nullif(e->'key', 'null'), e->>'sqlstate', e->>'message' FROM jsonb_array_elements(r.errors) e $$;

SELECT result(sync_import('goods', '[]'));
SELECT result(sync_import('goods', '[{"id": 1, "name": "one", "price": 1.5}, {"id": "2"}, {"id": 3.0, "price": "3.25", "twice": 99}]'));
TABLE goods ORDER BY id;

-- An absent column takes its default, a null is a null; a null key is no key.
SELECT * FROM errors(sync_import('goods', '[{"id": 4, "name": null}, {"id": null, "name": "x"}, {"name": "y"}]'));

-- A record that is none, a column that is none, values that are none.
SELECT * FROM errors(sync_import('goods',
    '[{"id": 5}, 5, null, [1], "x", {"id": 6, "nix": 1}, {"id": "six"}, {"id": 7, "price": {"a": 1}}, {"id": 8, "price": 1e10}, {"id": 9, "name": 9}, {"id": 10, "name": true}]'));
SELECT id, name FROM goods WHERE id >= 4 ORDER BY id;

-- The same key twice: the later record wins, whatever columns they have.
TRUNCATE goods;
SELECT result(sync_import('goods', '[{"id": 1, "name": "a"}, {"id": 1, "price": 1}, {"id": 2, "name": "b"}, {"id": 1.0, "name": "c", "price": 2}]'));
TABLE goods ORDER BY id;

-- Bad arguments.
SELECT sync_import('goods', '{"id": 1}');
SELECT sync_import('goods', '5');
SELECT sync_import('goods', NULL);
SELECT sync_import(NULL, '[]');
SELECT sync_import('goods', '[]', 'replace');
SELECT sync_import('goods', '[]', NULL);
SELECT sync_import('goods', '[]', 'skip', -1);
CREATE VIEW a_view AS SELECT 1 AS id;
SELECT sync_import('a_view', '[]');
SELECT sync_import('pg_class', '[]');
SELECT sync_import('sync_settings', '[]');

-- In a read-only transaction.
BEGIN READ ONLY;
SELECT sync_import('goods', '[{"id": 77}]');
ROLLBACK;

-- Identity columns keep the value that came.
CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x int);
SELECT result(sync_import('ident', '[{"id": 10, "x": 1}, {"x": 2}]'));
TABLE ident ORDER BY id;

-- Partitioned tables route, and move a row whose new values belong elsewhere.
CREATE TABLE parted (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parted_24 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parted_25 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
SELECT result(sync_import('parted', '[{"id": 1, "day": "2024-03-01", "v": "a"}, {"id": 2, "day": "2025-03-01", "v": "b"}]'));
SELECT * FROM errors(sync_import('parted', '[{"id": 3, "day": "2026-03-01"}, {"id": 1, "day": "2024-03-01", "v": "c"}]', 'overwrite'));
SELECT tableoid::regclass, * FROM parted ORDER BY id;
CREATE TABLE moving (id int, day date, v text) PARTITION BY RANGE (day);
CREATE TABLE moving_24 PARTITION OF moving FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE moving_25 PARTITION OF moving FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
SELECT result(sync_import('moving', '[{"id": 1, "day": "2024-03-01", "v": "a"}]'));

-- Names that need quoting, '%' and non-ASCII ones.
CREATE TABLE "We%ird ""Täble""" ("ke y" int PRIMARY KEY, "sel'ect" text, "{}" text, "ROW(" text);
SELECT result(sync_import('"We%ird ""Täble"""', '[{"ke y": 1, "sel''ect": "it''s", "{}": "%s", "ROW(": "x"}]'));
SELECT result(sync_import('"We%ird ""Täble"""', '[{"ke y": 1, "sel''ect": "new"}]', 'merge'));
TABLE "We%ird ""Täble""";

-- A table with a column for every letter of the statements that are written for it.
CREATE TABLE s (n int PRIMARY KEY, c0 int, t int, later int);
SELECT result(sync_import('s', '[{"n": 1, "c0": 2, "t": 3, "later": 4}]'));
SELECT result(sync_import('s', '[{"n": 1, "c0": 20, "t": 30, "later": 40}]', 'overwrite'));
TABLE s;

-- So many rows that it is asked first whether any of them exists: none, the last one, all, one under the name of another.
CREATE TABLE crowd (id int PRIMARY KEY, v text, code int UNIQUE, made int DEFAULT 7);
CREATE SEQUENCE tries; -- not undone where a row is tried in vain
CREATE FUNCTION note_try() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM nextval('tries'); NEW.v := NEW.v || '!'; RETURN NEW; END $$;
CREATE TRIGGER note_try BEFORE INSERT ON crowd FOR EACH ROW EXECUTE FUNCTION note_try();
CREATE FUNCTION crowd(first int, last int, value text) RETURNS jsonb LANGUAGE sql
    AS $$ SELECT jsonb_agg(jsonb_build_object('id', i, 'v', value, 'code', i)) FROM generate_series(first, last) i $$;
SELECT result(sync_import('crowd', crowd(1, 150, 'a'), 'overwrite'));
SELECT v, made, count(*), (SELECT last_value FROM tries) AS tries FROM crowd GROUP BY v, made;
SELECT result(sync_import('crowd', crowd(151, 300, 'b') || crowd(150, 150, 'c'), 'overwrite'));
SELECT v, count(*), min(id), (SELECT last_value FROM tries) AS tries FROM crowd GROUP BY v ORDER BY v;
SELECT result(sync_import('crowd', crowd(301, 450, 'd') || '[{"id": 500, "v": "x", "code": 1}]', 'merge'));
SELECT * FROM errors(sync_import('crowd', crowd(451, 600, 'd') || '[{"id": 601, "v": "x", "code": 1}]', 'merge'));
SELECT result(sync_import('crowd', crowd(1, 600, 'e'), 'merge'));
SELECT v, count(*) FROM crowd GROUP BY v ORDER BY v;

-- Each row is looked up by the key's index, whatever statistics say of a table that was emptied.
CREATE TABLE emptied (id int PRIMARY KEY, v text, code int);
INSERT INTO emptied SELECT i FROM generate_series(1, 20000) i;
DELETE FROM emptied;
ANALYZE emptied;
BEGIN;
SELECT result(sync_import('emptied', crowd(1, 300, 'a'), 'overwrite'));
SELECT result(sync_import('emptied', crowd(301, 600, 'b'), 'overwrite'));
SELECT result(sync_import('emptied', crowd(301, 700, 'c'), 'skip'));
SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'emptied';
COMMIT;

-- Fields that jsonb keeps in another order than the table, more than it counts from one fixed place, of all forms, some
-- null; columns of which some are gone, and records of which each has some others.
DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE many (id int PRIMARY KEY, %s)', string_agg(format('%s %s', repeat('x', 1 + i % 7) || i,
    (ARRAY['int', 'text', 'boolean', 'numeric', 'jsonb', 'int[]', 'goods', 'timestamp'])[1 + i % 8]), ', ' ORDER BY i))
    FROM generate_series(1, 100) i); END $$;
ALTER TABLE many DROP COLUMN xx1, DROP COLUMN xxxx66, DROP COLUMN xx99;
CREATE FUNCTION many(n int) RETURNS many LANGUAGE plpgsql AS $$
DECLARE names text[]; fields jsonb := jsonb_build_object('id', n); result many;
BEGIN
    SELECT array_agg(attname ORDER BY attnum) INTO names FROM pg_attribute WHERE attrelid = 'many'::regclass AND attnum > 1 AND NOT attisdropped;
    FOR i IN 1 .. cardinality(names) LOOP
        CONTINUE WHEN (i + n) % 11 = 0;
        fields := fields || jsonb_build_object(names[i], CASE substring(names[i], '\d+')::int % 8
            WHEN 0 THEN to_jsonb(i * n) WHEN 1 THEN to_jsonb(repeat('a "word" ', n % 4)) WHEN 2 THEN to_jsonb(i % 2 = 0)
            WHEN 3 THEN to_jsonb(i / 7.0) WHEN 4 THEN jsonb_build_object('i', i, 'deep', jsonb_build_array(n, NULL, '{}'::jsonb))
            WHEN 5 THEN to_jsonb(ARRAY[i, n, NULL]) WHEN 6 THEN jsonb_build_object('id', i, 'name', 'n' || n)
            ELSE to_jsonb('2024-01-01'::timestamp + i * interval '1 s') END);
    END LOOP;
    RETURN jsonb_populate_record(result, fields);
END $$;
CREATE TABLE samples AS SELECT m.* FROM generate_series(1, 40) n, many(n) m;
SELECT result(sync_import('many', (SELECT jsonb_agg(to_jsonb(s)) FROM samples s)));
SELECT count(*), count(DISTINCT id) FROM (TABLE many EXCEPT TABLE samples) q;
SELECT result(sync_import('many', (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(s)) || jsonb_build_object('id', id + 100)) FROM samples s)));
SELECT count(*) FROM many m JOIN samples s ON m.id = s.id + 100 WHERE to_jsonb(m) - 'id' = to_jsonb(s) - 'id';
SELECT result(sync_import('many', (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(s))) FROM samples s), 'overwrite'));
SELECT pos, message FROM errors(sync_import('many', '[{"id": 201, "xx1": 1}, {"id": 202, "xx10": 1}, {"id": 203, "": 1}, {"id": 204, "zz": 1, "xx1": 1}, {"id": 205}]'));
SELECT id FROM many WHERE id > 200;

-- Of two values that do not convert the first in the order of the table is told.
SELECT * FROM errors(sync_import('goods', '[{"id": "no", "name": [1], "price": "none"}, {"price": "none", "name": {}, "id": 30}]'));

-- No columns at all.
CREATE TABLE nothing ();
SELECT result(sync_import('nothing', '[{}, {}]'));
SELECT count(*) FROM nothing;

DROP FUNCTION many;
DROP VIEW a_view;
DROP TABLE many, samples, goods, ident, parted, moving, "We%ird ""Täble""", s, nothing, crowd, emptied;
DROP SEQUENCE tries;
DROP FUNCTION result, errors, note_try, crowd(int, int, text);
