-- Pages of tables that change from call to call, in one session: what is kept of a table must never be seen.
CREATE TABLE pages (id int PRIMARY KEY, v text, w numeric DEFAULT 1.50);
INSERT INTO pages SELECT i, 'v' || i FROM generate_series(1, 6) i;
PREPARE page AS SELECT * FROM sync_export('pages', 2, after => '{"id": 2}');
EXECUTE page;
EXECUTE page;
UPDATE pages SET v = 'changed' WHERE id = 3;
EXECUTE page;

-- Columns.
ALTER TABLE pages ADD extra jsonb DEFAULT '{"a": 1}';
EXECUTE page;
ALTER TABLE pages DROP v;
EXECUTE page;
ALTER TABLE pages RENAME w TO "W w";
EXECUTE page;
ALTER TABLE pages ALTER "W w" TYPE text USING 'text ' || "W w";
EXECUTE page;
ALTER TABLE pages DROP extra, DROP "W w";
EXECUTE page;

-- The key: its type, its name, its columns.
ALTER TABLE pages ALTER id TYPE bigint;
EXECUTE page;
ALTER TABLE pages ALTER id TYPE text;
EXECUTE page;
ALTER TABLE pages RENAME id TO "Id";
EXECUTE page;
SELECT * FROM sync_export('pages', 2, after => '{"Id": "2"}');
ALTER TABLE pages RENAME "Id" TO id;
ALTER TABLE pages ADD a int, ADD b int;
UPDATE pages SET a = -id::int, b = id::int;
ALTER TABLE pages DROP CONSTRAINT pages_pkey, ADD PRIMARY KEY (a, b);
EXECUTE page;
SELECT * FROM sync_export('pages', 2, after => '{"a": -2, "b": 2}');
ALTER TABLE pages DROP CONSTRAINT pages_pkey;
SELECT * FROM sync_export('pages', 2, after => '{"a": -2, "b": 2}');
SELECT * FROM sync_export('pages', 2);

-- Which index is the key: what it lacks of one tells which column it begins with.
CREATE FUNCTION key_of(relation regclass) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM sync_export(relation, after => '{}');
EXCEPTION WHEN others THEN
    RETURN SQLERRM;
END $$;
CREATE TABLE keys (a int, b int NOT NULL, c text NOT NULL, d int NOT NULL, e int NOT NULL);
CREATE UNIQUE INDEX ON keys (a);
SELECT key_of('keys') AS "a may be null";
CREATE UNIQUE INDEX ON keys (b) WHERE b > 0;
CREATE UNIQUE INDEX ON keys ((b + 1));
ALTER TABLE keys ADD UNIQUE (b) DEFERRABLE;
CREATE UNIQUE INDEX ON keys (c COLLATE "POSIX");
CREATE INDEX ON keys (d);
-- Partial, of an expression, deferrable, of another collation, not unique.
SELECT key_of('keys') AS "none of these";
CREATE UNIQUE INDEX ON keys (d, e);
SELECT key_of('keys') AS "two columns";
CREATE UNIQUE INDEX z ON keys (e) INCLUDE (a, b, c);
SELECT key_of('keys') AS "one column, and some beside it";
CREATE UNIQUE INDEX y ON keys (b);
SELECT key_of('keys') AS "the first by name";
ALTER INDEX y RENAME TO zz;
SELECT key_of('keys') AS "the other is the first";
ALTER TABLE keys ALTER a SET NOT NULL, ADD PRIMARY KEY (c, a) DEFERRABLE;
SELECT key_of('keys') AS "the primary key";
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'keys_pkey'::regclass;
SELECT key_of('keys') AS "the primary key is not valid";
DROP TABLE keys;

-- An order of its own.
CREATE TABLE pattern (v text COLLATE "en-x-icu" NOT NULL);
INSERT INTO pattern VALUES ('a'), ('B'), ('c');
CREATE UNIQUE INDEX i ON pattern (v);
SELECT * FROM sync_export('pattern', after => '{"v": "a"}');
DROP INDEX i;
CREATE UNIQUE INDEX i ON pattern (v text_pattern_ops);
SELECT * FROM sync_export('pattern', after => '{"v": "B"}');
DROP TABLE pattern;

-- Rights and policies.
DROP TABLE pages;
CREATE TABLE pages (id int PRIMARY KEY, v text);
INSERT INTO pages SELECT i, 'v' || i FROM generate_series(1, 6) i;
CREATE ROLE reads_pages;
GRANT SELECT ON pages TO reads_pages;
SET ROLE reads_pages;
EXECUTE page;
RESET ROLE;
REVOKE SELECT ON pages FROM reads_pages;
GRANT SELECT (id) ON pages TO reads_pages;
SET ROLE reads_pages;
EXECUTE page;
RESET ROLE;
EXECUTE page;
GRANT SELECT ON pages TO reads_pages;
CREATE POLICY only_some ON pages USING (id <> 3);
ALTER TABLE pages ENABLE ROW LEVEL SECURITY;
EXECUTE page;
SET ROLE reads_pages;
EXECUTE page;
RESET ROLE;
EXECUTE page;
ALTER POLICY only_some ON pages USING (id <> 4);
SET ROLE reads_pages;
EXECUTE page;
RESET ROLE;
ALTER TABLE pages DISABLE ROW LEVEL SECURITY;
SET ROLE reads_pages;
EXECUTE page;
RESET ROLE;

-- Children, partitions, another table of the name, none.
CREATE TABLE child () INHERITS (pages);
INSERT INTO child VALUES (3, 'of the child');
EXECUTE page;
DROP TABLE child;
EXECUTE page;
DROP TABLE pages;
CREATE TABLE pages (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF pages FOR VALUES FROM (1) TO (4);
INSERT INTO pages VALUES (1, 'one'), (3, 'three');
CREATE TABLE part2 (id int PRIMARY KEY, v text);
INSERT INTO part2 VALUES (4, 'four'), (5, 'five');
SELECT * FROM sync_export('pages', 2, after => '{"id": 2}');
ALTER TABLE pages ATTACH PARTITION part2 FOR VALUES FROM (4) TO (6);
SELECT * FROM sync_export('pages', 2, after => '{"id": 2}');
ALTER TABLE pages DETACH PARTITION part1;
SELECT * FROM sync_export('pages', 2, after => '{"id": 2}');
DROP TABLE pages, part1;
SELECT sync_export('pages', 2);
CREATE VIEW pages AS SELECT 4 AS id;
SELECT * FROM sync_export('pages', 2);
CREATE OR REPLACE VIEW pages AS SELECT 5 AS id, 'more' AS v;
SELECT * FROM sync_export('pages', 2);
DROP VIEW pages;

-- Types of values.
CREATE TYPE pair AS (a int, b text);
CREATE TYPE mood AS ENUM ('good');
CREATE TABLE typed (id int PRIMARY KEY, p pair, m mood);
INSERT INTO typed VALUES (1, (1, 'b'), 'good');
SELECT * FROM sync_export('typed', 2);
ALTER TYPE pair ADD ATTRIBUTE c bool;
ALTER TYPE pair RENAME ATTRIBUTE a TO "A";
ALTER TYPE mood RENAME VALUE 'good' TO 'better';
SELECT * FROM sync_export('typed', 2);
DROP TABLE typed;
DROP TYPE pair, mood;

-- What was undone.
CREATE TABLE pages (id int PRIMARY KEY, v text);
INSERT INTO pages SELECT i, 'v' || i FROM generate_series(1, 6) i;
BEGIN;
ALTER TABLE pages RENAME v TO other;
SELECT * FROM sync_export('pages', 1);
SAVEPOINT s;
ALTER TABLE pages DROP other;
SELECT * FROM sync_export('pages', 1);
ROLLBACK TO s;
SELECT * FROM sync_export('pages', 1);
ROLLBACK;
SELECT * FROM sync_export('pages', 1);

-- Other names of things that stand in the statement.
CREATE SCHEMA moved;
ALTER TABLE pages SET SCHEMA moved;
SELECT * FROM sync_export('moved.pages', 1);
CREATE TABLE pages (id int PRIMARY KEY, other text);
INSERT INTO pages VALUES (7, 'another');
SELECT * FROM sync_export('pages', 1);
ALTER SCHEMA moved RENAME TO moved_on;
SELECT * FROM sync_export('moved_on.pages', 1);
DISCARD PLANS;
SELECT * FROM sync_export('pages', 1);
DROP TABLE pages;

-- A scan whose statement is thrown out of the store while it runs, and one that fails.
CREATE TABLE pages (id int PRIMARY KEY);
INSERT INTO pages SELECT generate_series(1, 100);
CREATE FUNCTION many_pages(id int) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM generate_series(1, 40) n, sync_export('pages', n) $$;
CREATE VIEW nested AS SELECT id, many_pages(id) AS n, 10 / (id - 50) AS fails FROM pages;
SELECT * FROM sync_export('nested', 3);
SELECT * FROM sync_export('nested', 3);
SELECT count(*) FROM sync_export('nested', 60);
SELECT count(*) FROM sync_export('nested', 49);
DROP VIEW nested;
DROP FUNCTION many_pages;

-- A table that has grown is read by its index, although nobody has counted its rows.
CREATE TABLE growing (id int PRIMARY KEY, v text);
BEGIN;
SELECT count(*) FROM sync_export('growing', 500, after => '{"id": 10}');
INSERT INTO growing SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i;
SELECT count(*) FROM sync_export('growing', 500, after => '{"id": 10}');
SELECT seq_tup_read + idx_tup_fetch BETWEEN 500 AND 1000 AS only_the_page FROM pg_stat_xact_user_tables WHERE relname = 'growing';
COMMIT;
DROP TABLE growing;

-- Objects of many members, as the server would have built them.
DO $$
BEGIN
    EXECUTE (SELECT format('CREATE TABLE many (id int PRIMARY KEY, %s)', string_agg(format('%s%s %s', repeat('n', i % 7), i,
        (ARRAY['int', 'text', 'jsonb', 'numeric', 'bool', 'int[]', 'jsonb'])[i % 7 + 1]), ', ')) FROM generate_series(10, 110) i WHERE i % 7 > 0);
END $$;
INSERT INTO many (id) VALUES (1);
INSERT INTO many SELECT (jsonb_populate_record(null::many, jsonb_object_agg(attname, CASE format_type(atttypid, -1)
    WHEN 'integer' THEN '2'::jsonb WHEN 'text' THEN to_jsonb(repeat('t', attnum)) WHEN 'numeric' THEN to_jsonb(attnum / 7.0) WHEN 'boolean' THEN 'true'
    WHEN 'jsonb' THEN jsonb_build_object('n', attnum / 3.0, 'in', jsonb_build_array(attnum, jsonb_build_object('deep', 'x' || attnum)), 'text', repeat('y', attnum % 4))
    ELSE to_jsonb(ARRAY[attnum, 2]) END))).* FROM pg_attribute WHERE attrelid = 'many'::regclass AND attnum > 0;
SELECT count(*), bool_and(e = to_jsonb(m) AND pg_column_size(e) = pg_column_size(to_jsonb(m)) AND jsonb_hash(e) = jsonb_hash(to_jsonb(m)) AND e::text = to_jsonb(m)::text),
    (SELECT bool_and(e -> name IS NOT DISTINCT FROM to_jsonb(m) -> name) FROM jsonb_object_keys(to_jsonb(m)) name) AS by_name
FROM many m JOIN sync_export('many') e ON (e ->> 'id')::int = m.id GROUP BY m, e;

DROP TABLE pages, moved_on.pages, many;
DROP FUNCTION key_of;
DROP ROLE reads_pages;
DROP SCHEMA moved_on;
