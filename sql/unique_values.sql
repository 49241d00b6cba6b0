-- Unique values that move from row to row: whatever is legal in the end arrives, what is not is a row error, and no row is lost.
CREATE FUNCTION result(r sync_result) RETURNS text LANGUAGE sql AS
    $$ SELECT format('%s created, %s updated, %s skipped, %s errors', r.created, r.updated, r.skipped, r.error_count) $$;
CREATE TABLE person (id int PRIMARY KEY, email text NOT NULL UNIQUE, name text DEFAULT 'n', twice int GENERATED ALWAYS AS (id * 2) STORED, born int GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS
    $$ TRUNCATE person RESTART IDENTITY CASCADE; INSERT INTO person (id, email) SELECT i, 'e' || i FROM generate_series(1, 6) i; $$;

-- Two rows change places; three go round; a value moves on to a new row, and to a row that comes earlier.
SELECT fill();
SELECT result(sync_import('person', '[{"id": 1, "email": "e2"}, {"id": 2, "email": "e1"}, {"id": 3, "email": "e3"}]', 'overwrite', 0));
SELECT result(sync_import('person', '[{"id": 3, "email": "e4", "name": "three"}, {"id": 4, "email": "e5", "name": "four"}, {"id": 5, "email": "e3", "name": "five"}]', 'merge', 0));
SELECT result(sync_import('person', '[{"id": 9, "email": "e6"}, {"id": 6, "email": "new"}]', 'overwrite', 0));
TABLE person ORDER BY id;

-- All values move up by one, or down, in a batch of their own or several.
CREATE TABLE item (id int PRIMARY KEY, pos int NOT NULL UNIQUE, touched int DEFAULT 0);
INSERT INTO item SELECT i, i FROM generate_series(1, 300) i;
SELECT result(sync_import('item', (SELECT jsonb_agg(jsonb_build_object('id', i, 'pos', i + 1)) FROM generate_series(1, 300) i), 'overwrite', 0));
SELECT result(sync_import('item', (SELECT jsonb_agg(jsonb_build_object('id', i, 'pos', i)) FROM generate_series(1, 300) i), 'overwrite', 0));
SELECT result(sync_import('item', (SELECT jsonb_agg(jsonb_build_object('id', i, 'pos', 1 + i % 300)) FROM generate_series(1, 300) i), 'overwrite', 0));
SELECT count(*), count(DISTINCT pos), min(pos), max(pos), bool_and(pos = 1 + id % 300) AS right FROM item;

-- With a trigger, a deleted row would be told of: values that move arrive, those that change places are row errors.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION touch();
SELECT result(sync_import('item', (SELECT jsonb_agg(jsonb_build_object('id', i, 'pos', 1001 + i % 300)) FROM generate_series(1, 300) i), 'overwrite', 0));
SELECT result(sync_import('item', (SELECT jsonb_agg(jsonb_build_object('id', i, 'pos', 1002 + i % 300)) FROM generate_series(1, 300) i), 'overwrite', 0));
SELECT result(r), jsonb_path_query_array(r.errors, '$[*].key.id') AS keys, r.errors->0->>'sqlstate' AS sqlstate, r.errors->0->>'constraint' AS "constraint"
    FROM sync_import('item', '[{"id": 1, "pos": 1004}, {"id": 2, "pos": 1003}, {"id": 5, "pos": 7}]', 'overwrite') r;
SELECT count(*), count(DISTINCT pos), min(touched), max(touched) FROM item;
-- A trigger that is disabled is none.
ALTER TABLE item DISABLE TRIGGER touch;
SELECT result(sync_import('item', '[{"id": 1, "pos": 1004}, {"id": 2, "pos": 1003}]', 'overwrite', 0));

-- What collides in the end is a row error, the others arrive; nothing is tried for ever.
SELECT fill();
SELECT result(r), r.errors->0->'key' AS key, r.errors->0->>'detail' AS detail FROM sync_import('person', '[{"id": 1, "email": "e6"}, {"id": 2, "email": "x"}, {"id": 3, "email": "e2"}]', 'overwrite') r;
SELECT sync_import('person', '[{"id": 1, "email": "e6"}]', 'overwrite', 0);
SELECT result(r) FROM sync_import('person', '[{"id": 10, "email": "same"}, {"id": 11, "email": "same"}, {"id": 12, "email": "e1"}]', 'overwrite') r;
SELECT id, email FROM person ORDER BY id;
-- Strategies that change nothing of what is there wait for nothing.
SELECT result(r), r.errors->0->>'sqlstate' AS sqlstate FROM sync_import('person', '[{"id": 20, "email": "e6"}, {"id": 6, "email": "other"}]', 'skip') r;

-- References: to a row that changes places they stay; where they would follow, cascade or be in the way, nobody is deleted.
SELECT fill();
CREATE TABLE note (id int PRIMARY KEY, person int REFERENCES person, email text REFERENCES person (email));
INSERT INTO note VALUES (1, 1, 'e2'), (2, 2, NULL);
SELECT result(sync_import('person', '[{"id": 1, "email": "e2"}, {"id": 2, "email": "e1"}]', 'overwrite', 0));
TABLE note ORDER BY id;
SELECT r.errors->0->>'message' AS message FROM sync_import('person', '[{"id": 1, "email": "gone"}]', 'overwrite') r;
ALTER TABLE note DROP CONSTRAINT note_person_fkey, ADD FOREIGN KEY (person) REFERENCES person ON DELETE CASCADE;
SELECT result(sync_import('person', '[{"id": 1, "email": "e1"}, {"id": 2, "email": "e2"}]', 'overwrite'));
ALTER TABLE note DROP CONSTRAINT note_person_fkey, DROP CONSTRAINT note_email_fkey, ADD FOREIGN KEY (email) REFERENCES person (email) ON UPDATE CASCADE;
SELECT result(sync_import('person', '[{"id": 1, "email": "e1"}, {"id": 2, "email": "e2"}]', 'overwrite'));
TABLE note ORDER BY id;
DROP TABLE note;

-- Rights: who may not delete, or not see all rows, does neither.
CREATE ROLE clerk;
GRANT SELECT, INSERT, UPDATE ON person TO clerk;
SET ROLE clerk;
SELECT result(r), r.errors->0->>'sqlstate' AS sqlstate FROM sync_import('person', '[{"id": 1, "email": "e1"}, {"id": 2, "email": "e2"}]', 'overwrite') r;
RESET ROLE;
GRANT DELETE ON person TO clerk;
SET ROLE clerk;
SELECT result(sync_import('person', '[{"id": 1, "email": "e1"}, {"id": 2, "email": "e2"}]', 'overwrite', 0));
RESET ROLE;

-- A deferrable constraint and an exclusion constraint.
CREATE TABLE seat (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO seat VALUES (1, 1, '[1,5)'), (2, 2, '[5,9)');
SELECT result(sync_import('seat', '[{"id": 1, "place": 2, "during": "[5,9)"}, {"id": 2, "place": 1, "during": "[1,5)"}]', 'overwrite', 0));
SELECT result(r), r.errors->0->>'sqlstate' AS sqlstate, r.errors->0->>'constraint' AS "constraint" FROM sync_import('seat', '[{"id": 1, "during": "[1,2)"}, {"id": 3, "during": "[6,7)"}]', 'overwrite') r;
TABLE seat ORDER BY id;

-- A unique index that is no key, in all its forms, lets rows with nulls and outside of its condition pass, and names itself.
CREATE TABLE odd (id int PRIMARY KEY, a int, b int, c text);
CREATE UNIQUE INDEX odd_partial ON odd (a) WHERE b > 0;
CREATE UNIQUE INDEX odd_expression ON odd (lower(c));
CREATE UNIQUE INDEX odd_nulls ON odd (a, b) NULLS NOT DISTINCT;
INSERT INTO odd VALUES (1, 1, 1, 'A'), (2, 1, 0, 'B'), (3, NULL, NULL, NULL);
SELECT result(sync_import('odd', '[{"id": 1, "a": 1, "b": 0, "c": "b"}, {"id": 2, "a": 1, "b": 1, "c": "a"}]', 'overwrite', 0));
SELECT e->'key' AS key, e->>'constraint' AS "constraint" FROM jsonb_array_elements((sync_import('odd', '[{"id": 4, "a": null, "b": null}, {"id": 5, "a": 1, "b": 7}, {"id": 6, "a": 6, "b": 6, "c": "a"}]', 'overwrite')).errors) e;
TABLE odd ORDER BY id;

-- A key that is equal without being the same becomes the same.
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE loose (n numeric, f float8, i interval, t text COLLATE nocase, b bpchar, r numrange, v int, PRIMARY KEY (n, f, i, t, b, r));
INSERT INTO loose VALUES (1.0, 0, '1 mon', 'abc', 'x', '[1.0,2)', 1);
SELECT result(sync_import('loose', '[{"n": 1.00, "f": "-0", "i": "30 days", "t": "ABC", "b": "x  ", "r": "[1.00,2)"}]', 'overwrite', 0));
SELECT result(sync_import('loose', '[{"n": 1.00, "f": "-0", "i": "30 days", "t": "ABC", "b": "x  ", "r": "[1.00,2)"}]', 'overwrite', 0));
SELECT n, f, i, t, b || '|' AS b, r, v FROM loose;
SELECT result(sync_import('loose', '[{"n": 1, "f": 0, "i": "720:00:00", "t": "Abc", "b": "x", "r": "[1,2)", "v": 7}]', 'merge', 0));
SELECT result(sync_import('loose', '[{"n": 1.000, "f": 0, "i": "1 mon", "t": "abc", "b": "x", "r": "[1,2)", "v": 9}]', 'skip', 0));
SELECT n, f, i, t, b || '|' AS b, r, v FROM loose;

-- An index with a collation of its own is no key: it calls rows equal that the table does not.
CREATE TABLE mixed (t text NOT NULL, v int);
CREATE UNIQUE INDEX ON mixed (t COLLATE nocase);
SELECT sync_import('mixed', '[{"t": "a"}]', 'overwrite');

DROP TABLE person, item, seat, odd, loose, mixed;
DROP COLLATION nocase;
DROP OWNED BY clerk;
DROP ROLE clerk;
DROP FUNCTION result, fill, touch;
