-- Constraints, indexes, sequences, generated columns and comments are created with a table.
\set SHOW_CONTEXT never
-- Drops a table and creates it anew from its own definition; whether that is then the same.
CREATE FUNCTION rebuilt(t regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE name text := t::text; definition jsonb := sync_get_schema(t);
BEGIN
    SET LOCAL client_min_messages = warning;
    EXECUTE 'DROP TABLE ' || t || ' CASCADE';
    SET LOCAL client_min_messages = notice;
    PERFORM sync_create_table(name, definition);
    RETURN sync_get_schema(name::regclass) = definition;
END $$;
CREATE SEQUENCE shared_seq AS integer START 100 INCREMENT -5 MINVALUE -1000 MAXVALUE 1000 CACHE 7 CYCLE;
COMMENT ON SEQUENCE shared_seq IS 'of two tables';
CREATE TABLE kinds (
    id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "odd name" START 10 INCREMENT 3 MINVALUE 5 MAXVALUE 99999 CACHE 4 CYCLE),
    serial serial, small smallserial,
    label text DEFAULT 'L' || nextval('shared_seq')::text,
    v varchar(20) COLLATE "C", ch char(3), js jsonb DEFAULT '{"a": [1, "\\"]}', ts timestamptz(3) DEFAULT '2020-01-01 00:00:00+02', d date DEFAULT CURRENT_DATE,
    w int, h int, r int4range,
    area int GENERATED ALWAYS AS (w * h) STORED,
    up text GENERATED ALWAYS AS (upper(v::text) || CASE WHEN w > 1 THEN '!' ELSE '' END) STORED,
    CONSTRAINT "the key" PRIMARY KEY (id) INCLUDE (serial) WITH (fillfactor = 80),
    CONSTRAINT "uni que" UNIQUE NULLS NOT DISTINCT (w, h) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (v) INCLUDE (ch),
    CONSTRAINT wide CHECK (w > 0 AND (h IS NULL OR h BETWEEN 1 AND 100)) NO INHERIT,
    CHECK (lower(v) <> 'x'), CHECK (ROW(w, h) <> ROW(3, 4)), CHECK (ROW(w, h) < ROW(300, 4)),
    CHECK (COALESCE(NULLIF(w, 5), GREATEST(1, 2), LEAST(h, 3)) > 0 AND (h > 2) IS NOT FALSE AND w = ANY (ARRAY[1, 2, 3, 50])),
    EXCLUDE USING gist (r WITH &&) WHERE (w > 5) DEFERRABLE
) WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE kinds ADD CONSTRAINT later CHECK (w <> 77) NOT VALID;
ALTER TABLE kinds ALTER v SET STORAGE EXTERNAL, ALTER js SET COMPRESSION pglz, ALTER w SET STATISTICS 500, ALTER h SET (n_distinct = -0.5);
CREATE INDEX ON kinds (w DESC, h NULLS FIRST);
CREATE INDEX "x %s y" ON kinds USING hash (v) WITH (fillfactor = 60);
CREATE UNIQUE INDEX part_uni ON kinds (lower(v::text) COLLATE "C" text_pattern_ops DESC NULLS LAST, (w + h)) INCLUDE (ch) NULLS NOT DISTINCT WHERE w > 10 AND d IS NOT NULL;
CREATE INDEX kinds_g ON kinds USING gin (js jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX kinds_brin ON kinds USING brin (d) WITH (pages_per_range = 16);
COMMENT ON TABLE kinds IS 'all %s of them';
COMMENT ON COLUMN kinds.w IS 'width';
COMMENT ON CONSTRAINT "uni que" ON kinds IS 'one of its kind';
COMMENT ON CONSTRAINT wide ON kinds IS 'wide';
COMMENT ON INDEX part_uni IS 'partly';
COMMENT ON INDEX "the key" IS 'the key';
COMMENT ON SEQUENCE kinds_serial_seq IS 'serial';
COMMENT ON SEQUENCE "odd name" IS 'odd';
ALTER TABLE kinds CLUSTER ON "the key";
ALTER TABLE kinds REPLICA IDENTITY USING INDEX "the key";
CREATE UNLOGGED TABLE quick (id smallserial, note text DEFAULT E'back\\slash ''quoted''');
ALTER TABLE quick REPLICA IDENTITY FULL;
SELECT jsonb_pretty(sync_get_schema('kinds')->'constraints');
SELECT jsonb_pretty(sync_get_schema('kinds')->'indexes');
SELECT jsonb_pretty(sync_get_schema('kinds')->'sequences');
CREATE TABLE kept AS SELECT sync_get_schema('kinds') AS d;
DROP TABLE kinds;
DROP SEQUENCE shared_seq;
SELECT sync_create_table('kinds', (SELECT d FROM kept));
SELECT sync_get_schema('kinds') = (SELECT d FROM kept) AS same;
SELECT rebuilt('quick') AS same;
INSERT INTO kinds (w, h, v) VALUES (1, 4, 'y'), (2, 5, 'z') RETURNING id, serial, small, label, area, up;
SET standard_conforming_strings = off;
SET quote_all_identifiers = on;
SET transform_null_equals = on;
SET datestyle = 'SQL, DMY';
SET timezone = 'Asia/Tokyo';
SELECT sync_get_schema('kinds') = (SELECT d FROM kept) AS same_under_other_settings;
DROP TABLE kinds;
DROP SEQUENCE shared_seq;
SELECT sync_create_table('kinds', (SELECT d FROM kept));
RESET ALL;
SELECT sync_get_schema('kinds') = (SELECT d FROM kept) AS same_under_other_settings;

-- Under another name, beside the first: what would collide is named anew, and sequences are its own.
SELECT sync_create_table('kinds_2', (SELECT d FROM kept));
\d kinds_2
SELECT pg_get_serial_sequence('kinds_2', c) FROM unnest('{id,serial,small}'::text[]) c;
-- A long name leaves no room for more.
SELECT sync_create_table(repeat('ü', 31), (SELECT d FROM kept)) IS NOT NULL AS made;
SELECT relname FROM pg_class WHERE relname LIKE 'üü%' ORDER BY relname COLLATE "C";
DROP TABLE kinds, kinds_2, quick, kept;
DO $$ BEGIN EXECUTE 'DROP TABLE ' || repeat('ü', 31); END $$;
DROP SEQUENCE shared_seq;

-- Foreign keys: to tables that are there, to itself, under both names.
CREATE TABLE a (id int PRIMARY KEY, parent int REFERENCES a ON DELETE CASCADE, x int NOT NULL, y int NOT NULL, UNIQUE (y, x));
CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a DEFERRABLE INITIALLY DEFERRED, x int, y int,
    CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES a (x, y) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL,
    FOREIGN KEY (x, y) REFERENCES a (x, y) ON DELETE SET DEFAULT (y));
ALTER TABLE b ADD FOREIGN KEY (id) REFERENCES a NOT VALID;
COMMENT ON CONSTRAINT pair ON b IS 'both';
SELECT jsonb_pretty(sync_get_schema('b')->'foreign_keys');
SELECT rebuilt('b') AS same;
SELECT sync_get_schema('b') AS definition \gset
SELECT rebuilt('a') AS same;
SELECT sync_create_table('a2', sync_get_schema('a'));
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'a2'::regclass ORDER BY conname;
DROP TABLE a, a2 CASCADE;
SELECT sync_create_table('b_alone', :'definition');
CREATE TABLE a (id text PRIMARY KEY);
SELECT sync_create_table('b_other', :'definition');
DROP TABLE a, b, b_alone, b_other;

-- What is not carried is said.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE ROLE reader;
CREATE TABLE parent_table (i int);
CREATE TABLE busy (i int DEFAULT mine(3), o oid, CHECK (mine(i) > 0)) INHERITS (parent_table);
CREATE INDEX ON busy (mine(i));
CREATE TRIGGER trig BEFORE INSERT ON busy FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE ru AS ON UPDATE TO busy DO NOTHING;
CREATE POLICY pol ON busy USING (true);
ALTER TABLE busy ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON busy TO PUBLIC;
CREATE VIEW busy_view AS SELECT i FROM busy;
CREATE STATISTICS busy_stats ON i, o FROM busy;
ALTER TABLE busy OWNER TO reader;
SELECT sync_create_table('calm', sync_get_schema('busy'));
\d calm
DROP TABLE busy, calm, parent_table CASCADE;
DROP ROLE reader;
DROP FUNCTION nothing, mine, rebuilt;

-- PhoenixKit names a sequence, and tells the length apart.
SELECT sync_create_table('px', '{"table": "px", "schema": "public", "columns": [
    {"name": "id", "type": "bigint", "nullable": false, "primary_key": true, "default": "nextval(''users_id_seq''::regclass)", "max_length": null, "precision": 64, "scale": 0},
    {"name": "n", "type": "integer", "default": "nextval(''other''::regclass)"},
    {"name": "t", "type": "text", "default": "nextval(''third''::regclass)"},
    {"name": "email", "type": "character varying", "max_length": 160}], "primary_key": ["id"]}');
\d px
INSERT INTO px DEFAULT VALUES RETURNING id, n;
DROP TABLE px;

-- Over HTTP it has other names for these things.
SELECT sync_create_table('ph', '{"table_name": "ph", "columns": [
    {"column_name": "id", "data_type": "bigint", "is_nullable": "NO", "column_default": "nextval(''users_id_seq''::regclass)", "character_maximum_length": null},
    {"column_name": "code", "data_type": "character", "is_nullable": "YES", "column_default": null, "character_maximum_length": 3},
    {"column_name": "order", "data_type": "numeric", "is_nullable": "YES", "column_default": "0", "precision": 10, "scale": 2},
    {"column_name": "tags", "data_type": "text[]", "is_nullable": "YES", "column_default": null, "character_maximum_length": null}]}');
\d ph
DROP TABLE ph;
-- Of arrays and types of its own it may say that they are such; and whatever stands in the place of a type or a name, none of it is run.
SELECT sync_create_table('ph', '{"columns": [{"column_name": "tags", "data_type": "ARRAY"}]}');
SELECT sync_create_table('ph', '{"columns": [{"column_name": "mood", "data_type": "USER-DEFINED"}]}');
SELECT sync_create_table('ph', '{"columns": [{"column_name": "a", "data_type": "text); DROP TABLE own; --"}]}');
SELECT sync_create_table('ph', '{"columns": [{"column_name": "a", "data_type": "character varying", "character_maximum_length": "1); --"}]}');
SELECT sync_create_table('ph', '{"columns": [{"column_name": "a\"); --", "data_type": "text"}]}');
\d ph
DROP TABLE ph;
