-- skip, overwrite, merge and append, against rows that exist and rows that do not.
CREATE FUNCTION result(r sync_result) RETURNS text LANGUAGE sql AS
    $$ SELECT format('%s created, %s updated, %s skipped, %s errors', r.created, r.updated, r.skipped, r.error_count) $$;
CREATE TABLE target (id serial PRIMARY KEY, a text, b text DEFAULT 'default b');
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
    TRUNCATE target RESTART IDENTITY;
    INSERT INTO target VALUES (1, 'old 1', 'old 1'), (2, 'old 2', NULL);
    SELECT setval('target_id_seq', 2); $$;

SELECT fill();
SELECT result(sync_import('target', '[{"id": 1, "a": "new"}, {"id": 2, "a": null, "b": "new"}, {"id": 3, "a": "new"}]', 'skip'));
TABLE target ORDER BY id;
SELECT fill();
SELECT result(sync_import('target', '[{"id": 1, "a": "new"}, {"id": 2, "a": null, "b": "new"}, {"id": 3, "a": "new"}]', 'overwrite'));
TABLE target ORDER BY id;
SELECT fill();
SELECT result(sync_import('target', '[{"id": 1, "a": "new"}, {"id": 2, "a": null, "b": "new"}, {"id": 3, "a": "new"}]', 'merge'));
TABLE target ORDER BY id;
SELECT fill();
SELECT result(sync_import('target', '[{"id": 1, "a": "new"}, {"id": 2, "a": null, "b": "new"}, {"id": 3, "a": "new"}]', 'append'));
TABLE target ORDER BY id;

-- A record of the key alone: nothing to update; append makes a row of defaults.
SELECT fill();
SELECT result(sync_import('target', '[{"id": 1}, {"id": 9}]', 'overwrite'));
SELECT result(sync_import('target', '[{"id": 1}]', 'merge'));
SELECT result(sync_import('target', '[{"id": 1}]', 'append'));
TABLE target ORDER BY id;

-- Rows that are equal already are neither written nor locked; what equal means is the text.
CREATE TABLE numbers (id int PRIMARY KEY, n numeric, f float8, a int[], t text);
INSERT INTO numbers VALUES (1, 1.0, 0, '{1,2}', 'x'), (2, 1.00, '-0', '{}', NULL);
SELECT xmin AS x1 FROM numbers WHERE id = 1 \gset
SELECT xmin AS x2 FROM numbers WHERE id = 2 \gset
SELECT result(sync_import('numbers', (SELECT jsonb_agg(r) FROM sync_export('numbers') r), 'overwrite'));
SELECT id, xmin = CASE id WHEN 1 THEN :'x1'::xid ELSE :'x2'::xid END AS untouched, xmax FROM numbers ORDER BY id;
SELECT result(sync_import('numbers', '[{"id": 1, "n": 1.00}, {"id": 2, "n": 1.00, "f": 0}]', 'overwrite'));
SELECT * FROM numbers ORDER BY id;

-- An existing key is never tried as an INSERT: no trigger, no default, no NOT NULL of absent columns.
CREATE TABLE strict (id int PRIMARY KEY, needed text NOT NULL, note text);
INSERT INTO strict VALUES (1, 'there', 'old');
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% % %', TG_WHEN, TG_OP, NEW; RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON strict FOR EACH ROW EXECUTE FUNCTION tell();
SELECT result(sync_import('strict', '[{"id": 1, "note": "new"}]', 'overwrite'));
SELECT result(sync_import('strict', '[{"id": 1, "note": "new"}]', 'overwrite'));
SELECT result(sync_import('strict', '[{"id": 1, "note": "newer"}]', 'skip'));
TABLE strict;

-- Composite keys in another order than the table's columns.
CREATE TABLE composite (b text, a int, v text, PRIMARY KEY (a, b));
INSERT INTO composite VALUES ('x', 1, 'old'), ('y', 1, 'old');
SELECT result(sync_import('composite', '[{"a": 1, "b": "x", "v": "new"}, {"a": 1, "b": "z", "v": "new"}, {"a": 1, "v": "part of a key"}]', 'overwrite'));
TABLE composite ORDER BY a, b;

-- No key: every record is a new row; overwrite and merge refuse. Another unique index will do, but only one that is a key.
CREATE TABLE no_key (x int, y int);
SELECT result(sync_import('no_key', '[{"x": 1}, {"x": 1}]', 'skip'));
SELECT result(sync_import('no_key', '[{"x": 1}]', 'append'));
SELECT sync_import('no_key', '[{"x": 1}]', 'overwrite');
SELECT sync_import('no_key', '[{"x": 1}]', 'merge');
CREATE UNIQUE INDEX ON no_key (y);
SELECT sync_import('no_key', '[{"x": 1, "y": 1}]', 'overwrite');
DELETE FROM no_key;
CREATE UNIQUE INDEX ON no_key (x) WHERE x > 0;
CREATE UNIQUE INDEX ON no_key ((x + 1));
ALTER TABLE no_key ALTER x SET NOT NULL;
SELECT sync_import('no_key', '[{"x": 1, "y": 1}]', 'overwrite');
ALTER TABLE no_key ADD UNIQUE (x) DEFERRABLE;
SELECT sync_import('no_key', '[{"x": 1, "y": 1}]', 'overwrite');
CREATE UNIQUE INDEX ON no_key (x) INCLUDE (y);
SELECT result(sync_import('no_key', '[{"x": 1, "y": 1}]', 'overwrite'));
SELECT result(sync_import('no_key', '[{"x": 1, "y": 2}]', 'overwrite'));
SELECT result(sync_import('no_key', '[{"x": 1, "y": 3}]', 'skip'));
TABLE no_key;

-- A deferrable primary key is a key all the same.
CREATE TABLE deferrable_key (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int);
INSERT INTO deferrable_key VALUES (1, 1);
SELECT result(sync_import('deferrable_key', '[{"id": 1, "v": 2}, {"id": 2, "v": 2}]', 'overwrite'));
TABLE deferrable_key ORDER BY id;

-- An identity GENERATED ALWAYS beside the key cannot be changed: equal rows are no matter, others are row errors.
CREATE TABLE numbered (code text PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v int);
INSERT INTO numbered (code, v) VALUES ('a', 1), ('b', 1), ('c', 1);
SELECT result(sync_import('numbered', '[{"code": "a", "n": 1, "v": 2}, {"code": "b", "v": 2}, {"code": "c", "n": 3, "v": 1}, {"code": "d", "n": 40, "v": 2}]', 'overwrite', 0));
SELECT result(r), r.errors FROM sync_import('numbered', '[{"code": "a", "n": 7, "v": 3}, {"code": "b", "n": null, "v": 3}]', 'merge') r;
TABLE numbered ORDER BY code;

-- append needs a default for the key.
CREATE TABLE natural_key (code text PRIMARY KEY);
SELECT sync_import('natural_key', '[{"code": "x"}]', 'append');

-- Only a key: nothing can differ.
SELECT result(sync_import('natural_key', '[{"code": "x"}, {"code": "y"}]', 'overwrite'));
SELECT result(sync_import('natural_key', '[{"code": "x"}, {"code": "z"}]', 'overwrite'));

-- Keys of many types find their rows.
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN code AS varchar(5);
CREATE TABLE keyed (u uuid, n numeric, t timestamptz, d code, e colour, c citext, r int4range, b bytea, ch char(4), v int,
    PRIMARY KEY (u, n, t, d, e, c, r, b, ch));
INSERT INTO keyed VALUES ('00000000-0000-0000-0000-000000000001', 1.0, 'infinity', 'x', 'green', 'AbC', '[1,5)', '\x00ff', 'ab', 1);
SELECT result(sync_import('keyed', (SELECT jsonb_agg(r || '{"v": 2}') FROM sync_export('keyed') r), 'overwrite'));
SELECT result(sync_import('keyed', (SELECT jsonb_agg(r || '{"n": 1.000, "c": "aBC", "ch": "ab", "v": 3}') FROM sync_export('keyed') r), 'overwrite'));
SELECT n, c, v FROM keyed;

DROP TABLE target, numbers, strict, composite, no_key, deferrable_key, natural_key, numbered, keyed;
DROP FUNCTION result, fill, tell;
DROP TYPE colour;
DROP DOMAIN code;
DROP EXTENSION citext;
