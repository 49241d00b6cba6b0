-- Pages of a table, in the order of its key.
CREATE TABLE pages (b text, a int, v text, PRIMARY KEY (a, b));
INSERT INTO pages SELECT chr(96 + i % 3), i / 3, 'v' || i FROM generate_series(1, 12) i;
SELECT * FROM sync_export('pages', 4);
SELECT * FROM sync_export('pages', 3, 4);
SELECT * FROM sync_export('pages', 3, after => '{"a": 1, "b": "a", "v": "not looked at"}');
SELECT count(*) FROM sync_export('pages', 1000000000000);
SELECT count(*) FROM sync_export('pages', 0);

-- In a select list: for each row anew, two at once, not to the end, from a cursor, none.
SELECT n, sync_export('pages', n)->>'v' AS v FROM generate_series(0, 3) n;
SELECT sync_export('pages', 1)->>'v' AS one, sync_export('pages', 3, 4)->>'v' AS three;
SELECT sync_export('pages')->>'v' AS v LIMIT 2;
SELECT n, v FROM generate_series(1, 2) n, LATERAL (SELECT sync_export('pages', 3, n)->>'v' AS v LIMIT 2) q;
BEGIN;
DECLARE page CURSOR FOR SELECT sync_export('pages')->>'v' AS v;
FETCH 2 FROM page;
MOVE 9 FROM page;
FETCH 2 FROM page;
FETCH 2 FROM page;
CLOSE page;
COMMIT;
SELECT sync_export('pages', 0);
SELECT n, v->>'v' AS v FROM generate_series(1, 2) n, sync_export('pages', n, n) v;

-- More than work_mem: through a file.
CREATE TABLE long (id int PRIMARY KEY, v text);
INSERT INTO long SELECT i, repeat(md5(i::text), i % 40) FROM generate_series(1, 500) i;
SET work_mem = '64kB';
SELECT count(*) FILTER (WHERE row = jsonb_build_object('id', n, 'v', repeat(md5(n::text), (n % 40)::int))) AS right, count(*)
    FROM (SELECT sync_export('long', 1000)) AS e(row), LATERAL (SELECT (row->>'id')::bigint) AS i(n);
SELECT n, count(*), md5(string_agg(row::text, ',' ORDER BY (row->>'id')::int)) FROM generate_series(1, 2) n, sync_export('long', 1000) row GROUP BY n;
SELECT n, count(*), md5(string_agg(row::text, ',' ORDER BY (row->>'id')::int)) FROM (SELECT n, sync_export('long', 1000) AS row FROM generate_series(1, 2) n) q GROUP BY n;
SELECT count(*) FROM (SELECT sync_export('long', 1000) LIMIT 450) q;
RESET work_mem;
SELECT count(*), md5(string_agg(row::text, ',' ORDER BY (row->>'id')::int)) FROM sync_export('long', 1000) row;

-- What is known of a table from the page before holds for as long as nothing changes.
CREATE SCHEMA there;
CREATE TYPE inner_part AS (n int);
CREATE TYPE part AS (i inner_part, t text);
CREATE DOMAIN amount AS int;
CREATE TABLE changing (a int PRIMARY KEY, b amount, c part, d text NOT NULL DEFAULT 'd');
INSERT INTO changing VALUES (1, 20, ROW(ROW(1), 'x')), (2, 10, ROW(ROW(2), 'y'));
CREATE FUNCTION page() RETURNS SETOF jsonb LANGUAGE sql AS $$ SELECT sync_export('changing') $$;
SELECT page();
ALTER TABLE changing RENAME COLUMN d TO e;
SELECT page();
ALTER TYPE part RENAME ATTRIBUTE t TO u;
SELECT page();
ALTER TYPE inner_part ADD ATTRIBUTE m int;
SELECT page();
ALTER TABLE changing ALTER COLUMN b TYPE text, DROP COLUMN c;
SELECT page();
ALTER TABLE changing DROP CONSTRAINT changing_pkey;
CREATE UNIQUE INDEX ON changing (e, a DESC);
SELECT page();
SELECT sync_export('changing', after => '{"e": "d", "a": 2}');
BEGIN;
ALTER TABLE changing ADD COLUMN f boolean GENERATED ALWAYS AS (a > 1) STORED, ADD COLUMN g int DEFAULT 5;
SAVEPOINT before;
ALTER TABLE changing DROP COLUMN a CASCADE;
ALTER TABLE changing SET SCHEMA there;
SELECT sync_export('there.changing');
ROLLBACK TO before;
SELECT page();
ROLLBACK;
SELECT page();
ALTER TABLE changing SET SCHEMA there;
SELECT sync_export('there.changing', 1);
ALTER SCHEMA there RENAME TO elsewhere;
SELECT sync_export('elsewhere.changing', 1);
CREATE TABLE changing_child () INHERITS (elsewhere.changing);
SELECT sync_export('elsewhere.changing', 1);
SELECT sync_export('elsewhere.changing', 1);
DROP TABLE changing_child;
SELECT sync_export('elsewhere.changing', 1);
ALTER EXTENSION sync ADD TABLE elsewhere.changing;
SELECT sync_export('elsewhere.changing', 1);
ALTER EXTENSION sync DROP TABLE elsewhere.changing;
SELECT sync_export('elsewhere.changing', 1);
CREATE ROLE page_reader;
GRANT USAGE ON SCHEMA elsewhere TO page_reader;
SET ROLE page_reader;
SELECT sync_export('elsewhere.changing', 1);
RESET ROLE;
GRANT SELECT ON elsewhere.changing TO page_reader;
SET ROLE page_reader;
SELECT sync_export('elsewhere.changing', 1);
RESET ROLE;
DROP OWNED BY page_reader;
DROP ROLE page_reader;
DROP SCHEMA elsewhere CASCADE;
DROP FUNCTION page;
DROP DOMAIN amount;
DROP TYPE part, inner_part;

-- Bad pages.
SELECT sync_export('pages', -1);
SELECT sync_export('pages', 1, -1);
SELECT sync_export('pages', NULL);
SELECT sync_export('pages', after => '[1]');
SELECT sync_export('pages', after => '{"a": 1}');
SELECT sync_export('pages', after => '{"a": 1, "b": null}');
SELECT sync_export('pages', after => '{"a": "x", "b": "y"}');

-- A whole table in pages.
DO $$
DECLARE last jsonb; r jsonb; n int := 0; seen text[] := '{}';
BEGIN
    LOOP
        EXIT WHEN n > 100;
        r := NULL;
        FOR r IN SELECT * FROM sync_export('pages', 5, after => last) LOOP
            seen := seen || (r->>'v');
            last := r;
        END LOOP;
        EXIT WHEN r IS NULL;
        n := n + 1;
    END LOOP;
    RAISE NOTICE '% pages: %', n, seen;
END $$;

-- The key's own order counts: enum order, descending indexes, another unique index where there is no primary key.
CREATE TYPE size AS ENUM ('small', 'large', 'huge');
CREATE TABLE enum_key (s size PRIMARY KEY);
INSERT INTO enum_key VALUES ('huge'), ('small'), ('large');
SELECT * FROM sync_export('enum_key');
SELECT * FROM sync_export('enum_key', after => '{"s": "small"}');
CREATE TABLE other_key (x int NOT NULL, y int);
CREATE UNIQUE INDEX ON other_key (x DESC);
INSERT INTO other_key VALUES (2, 2), (1, 1), (3, 3);
SELECT * FROM sync_export('other_key', after => '{"x": 1}');

-- No key: by place; nothing to go on behind.
CREATE TABLE no_key (x int);
INSERT INTO no_key VALUES (3), (1), (2);
SELECT * FROM sync_export('no_key');
SELECT sync_export('no_key', after => '{"x": 1}');

-- Views can be read, inheritance parents mean themselves, generated columns are left out.
CREATE VIEW a_view AS SELECT a, v FROM pages WHERE b = 'a';
SELECT count(*) FROM sync_export('a_view');
CREATE TABLE parent (x int);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT * FROM sync_export('parent');
CREATE TABLE generated (x int, y int GENERATED ALWAYS AS (x * 2) STORED);
INSERT INTO generated VALUES (4);
SELECT * FROM sync_export('generated');
SELECT sync_export('pg_class');
SELECT sync_export(NULL);

-- Names that need quoting.
CREATE TABLE "We%ird ""Täble""" ("ke y" int PRIMARY KEY, "sel'ect" text, "{}" text);
INSERT INTO "We%ird ""Täble""" VALUES (1, 'a', 'b'), (2, 'c', 'd');
SELECT * FROM sync_export('"We%ird ""Täble"""', after => '{"ke y": 1}');

-- Zero columns.
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
SELECT * FROM sync_export('nothing');

DROP TABLE long, pages, enum_key, other_key, no_key, child, parent, generated, "We%ird ""Täble""", nothing CASCADE;
DROP TYPE size;
