-- Every shape that the definition of a table has, for tests: what is created from it elsewhere is the same.
CREATE SCHEMA "Big Shop";
CREATE EXTENSION btree_gist;
CREATE EXTENSION citext;
CREATE EXTENSION pg_trgm;
CREATE TYPE mood AS ENUM ('sad', 'o''k', 'Very "happy"');
COMMENT ON TYPE mood IS 'how it''s going';
CREATE DOMAIN positive AS numeric(8,2) DEFAULT 1 NOT NULL CONSTRAINT above_zero CHECK (VALUE > 0) CHECK (VALUE < 100000);
COMMENT ON DOMAIN positive IS 'more than nothing';
COMMENT ON CONSTRAINT above_zero ON DOMAIN positive IS 'zero is not positive';
CREATE DOMAIN tiny AS positive CHECK (VALUE < 10);
ALTER DOMAIN tiny ADD CONSTRAINT late CHECK (VALUE <> 5) NOT VALID;
CREATE DOMAIN moods AS mood[] CHECK (cardinality(VALUE) < 5);
CREATE DOMAIN code AS text COLLATE "C" CHECK (VALUE ~ '^[a-z\\]+$');
CREATE TYPE "Big Shop"."Point 3" AS (x float8, y float8, "z ""z""" tiny, m mood, t text COLLATE "POSIX");
COMMENT ON COLUMN "Big Shop"."Point 3".x IS 'east';
CREATE TYPE box3 AS (low "Big Shop"."Point 3", high "Big Shop"."Point 3"[]);
CREATE TYPE moodrange AS RANGE (SUBTYPE = mood, MULTIRANGE_TYPE_NAME = many_moods);
CREATE TYPE floatrange AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TYPE crange AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_OPCLASS = text_pattern_ops);

CREATE SEQUENCE shared_seq AS integer START 100 INCREMENT -5 MINVALUE -1000 MAXVALUE 1000 CACHE 7 CYCLE;
COMMENT ON SEQUENCE shared_seq IS 'of two tables';
CREATE UNLOGGED TABLE quick (id smallserial, note text DEFAULT E'back\\slash ''quoted''') WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off);

CREATE TABLE "Big Shop"."Kinds" (
    "Id" bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME "Big Shop"."odd name" START 10 INCREMENT 3 MINVALUE 5 MAXVALUE 99999 CACHE 4 CYCLE),
    serial serial,
    other int DEFAULT nextval('shared_seq') + 1,
    label text DEFAULT 'L' || nextval('shared_seq')::text,
    m mood NOT NULL DEFAULT 'o''k',
    ms mood[] DEFAULT '{sad}',
    p positive, t tiny, mm moods, c code,
    pt "Big Shop"."Point 3", b box3[], mr moodrange, cr crange, fr floatrange, mmr many_moods,
    ci citext NOT NULL, v varchar(20) COLLATE "C", ch char(3), bits bit varying(7), n numeric(5,-2), "char" "char",
    ts timestamptz(3) DEFAULT '2020-01-01 00:00:00+02', iv interval day to second(2) DEFAULT '1 day 02:03:04', d date DEFAULT CURRENT_DATE,
    js jsonb DEFAULT '{"a": [1, "\\"]}', by bytea DEFAULT '\x00ff', u uuid DEFAULT gen_random_uuid(), who name DEFAULT CURRENT_USER,
    w int, h int,
    area int GENERATED ALWAYS AS (w * h) STORED,
    up text GENERATED ALWAYS AS (upper(v::text) || CASE WHEN w > 1 THEN '!' ELSE '' END) STORED,
    PRIMARY KEY ("Id") INCLUDE (serial) WITH (fillfactor = 80),
    CONSTRAINT "uni que" UNIQUE NULLS NOT DISTINCT (w, h) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (v) INCLUDE (ch),
    CONSTRAINT wide CHECK (w > 0 AND (h IS NULL OR h BETWEEN 1 AND 100)) NO INHERIT,
    CHECK (m IN ('sad', 'o''k')), CHECK (lower(v) <> 'x' AND length(ci::text) > 1), CHECK (ROW(w, h) <> ROW(3, 4)),
    CHECK (COALESCE(NULLIF(w, 5), GREATEST(1, 2), LEAST(h, 3)) > 0 AND (h > 2) IS NOT FALSE AND w = ANY (ARRAY[1, 2, 3, 50])),
    EXCLUDE USING gist (w WITH =, fr WITH &&) WHERE (w > 5) DEFERRABLE
);
ALTER TABLE "Big Shop"."Kinds" ADD CONSTRAINT later CHECK (w <> 77) NOT VALID;
ALTER TABLE "Big Shop"."Kinds" ALTER v SET STORAGE EXTERNAL, ALTER js SET COMPRESSION pglz, ALTER w SET STATISTICS 500, ALTER h SET (n_distinct = -0.5);
CREATE INDEX ON "Big Shop"."Kinds" (w DESC, h NULLS FIRST);
CREATE INDEX "x %s y" ON "Big Shop"."Kinds" USING hash (v) WITH (fillfactor = 60);
CREATE UNIQUE INDEX part_uni ON "Big Shop"."Kinds" (lower(v::text) COLLATE "C" text_pattern_ops DESC NULLS LAST, (w + h)) INCLUDE (ch) NULLS NOT DISTINCT WHERE w > 10 AND m <> 'sad'::mood;
CREATE INDEX g ON "Big Shop"."Kinds" USING gin (js jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX trg ON "Big Shop"."Kinds" USING gist (v gist_trgm_ops (siglen = 32));
CREATE INDEX br ON "Big Shop"."Kinds" USING brin (d) WITH (pages_per_range = 16);
CREATE INDEX rng ON "Big Shop"."Kinds" USING spgist (fr);
CREATE INDEX cit ON "Big Shop"."Kinds" (ci);
COMMENT ON TABLE "Big Shop"."Kinds" IS 'all %s of them';
COMMENT ON COLUMN "Big Shop"."Kinds".m IS 'mood';
COMMENT ON CONSTRAINT "uni que" ON "Big Shop"."Kinds" IS 'one of its kind';
COMMENT ON CONSTRAINT wide ON "Big Shop"."Kinds" IS 'wide';
COMMENT ON INDEX "Big Shop".part_uni IS 'partly';
COMMENT ON INDEX "Big Shop"."Kinds_pkey" IS 'the key';
ALTER TABLE "Big Shop"."Kinds" CLUSTER ON "Kinds_pkey";
ALTER TABLE "Big Shop"."Kinds" REPLICA IDENTITY USING INDEX "Kinds_pkey";
CREATE TABLE shares (id int DEFAULT nextval('shared_seq') PRIMARY KEY, m mood);
ALTER TABLE shares REPLICA IDENTITY FULL;

CREATE TABLE a (id int PRIMARY KEY, b_id int, parent int, x int NOT NULL, y int NOT NULL, UNIQUE (y, x));
CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL REFERENCES a DEFERRABLE INITIALLY DEFERRED, x int, y int,
    CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES a (x, y) MATCH FULL ON UPDATE CASCADE ON DELETE SET NULL);
ALTER TABLE a ADD CONSTRAINT back FOREIGN KEY (b_id) REFERENCES b ON DELETE RESTRICT, ADD FOREIGN KEY (parent) REFERENCES a ON DELETE CASCADE NOT VALID;
CREATE TABLE c (id int PRIMARY KEY, x int, y int, k bigint REFERENCES "Big Shop"."Kinds" ON DELETE SET DEFAULT,
    FOREIGN KEY (x, y) REFERENCES a (x, y) ON DELETE SET NULL (x));
COMMENT ON CONSTRAINT pair ON b IS 'both';

CREATE TABLE log (id bigint GENERATED BY DEFAULT AS IDENTITY, at timestamptz NOT NULL, kind text NOT NULL DEFAULT 'n', w int CHECK (w > 0), a_id int REFERENCES a, PRIMARY KEY (at, kind, id))
    PARTITION BY RANGE (at);
CREATE INDEX log_w ON log (w DESC);
COMMENT ON TABLE log IS 'partitioned';
CREATE TABLE "Big Shop"."log 2024" PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2025-01-01 00:00:00+00') WITH (fillfactor = 50);
CREATE TABLE log_2025 PARTITION OF log (w DEFAULT 7, CONSTRAINT mine CHECK (w < 1000)) FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00') PARTITION BY LIST (kind);
CREATE TABLE log_2025_n PARTITION OF log_2025 FOR VALUES IN ('n', 'it''s');
CREATE TABLE log_2025_rest PARTITION OF log_2025 DEFAULT PARTITION BY HASH (id, kind);
CREATE TABLE log_2025_h0 PARTITION OF log_2025_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE log_2025_h1 (w int, id bigint NOT NULL, kind text NOT NULL DEFAULT 'n', gone int, at timestamptz NOT NULL, a_id int, CHECK (w > 0));
ALTER TABLE log_2025_h1 DROP gone, ADD CONSTRAINT log_w_check CHECK (w > 0), ADD CONSTRAINT mine CHECK (w < 1000);
ALTER TABLE log_2025_h1 DROP CONSTRAINT log_2025_h1_w_check;
ALTER TABLE log_2025_rest ATTACH PARTITION log_2025_h1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE log_default PARTITION OF log DEFAULT;
CREATE INDEX own_index ON log_2025_n (a_id) WHERE a_id > 3;
COMMENT ON TABLE log_2025_n IS 'a leaf';
COMMENT ON INDEX own_index IS 'its own';
ALTER TABLE log_2025_n ADD UNIQUE (id), ALTER kind SET STATISTICS 77;
ALTER TABLE log_default ADD CONSTRAINT own_fk FOREIGN KEY (w) REFERENCES b;
ALTER TABLE log ADD CONSTRAINT unchecked CHECK (w <> 13) NOT VALID;
CREATE TABLE refers (at timestamptz, kind text, id bigint, FOREIGN KEY (at, kind, id) REFERENCES log);
CREATE TABLE by_mood (m mood, p int, q date) PARTITION BY LIST (m);
CREATE TABLE by_mood_sad PARTITION OF by_mood FOR VALUES IN ('sad', NULL);
CREATE TABLE by_expr (t text, i int) PARTITION BY RANGE (lower(t) COLLATE "C" text_pattern_ops, i, (i * 2));
CREATE TABLE by_expr_1 PARTITION OF by_expr FOR VALUES FROM ('a', -5, MINVALUE) TO ('m', MAXVALUE, MAXVALUE);
CREATE TABLE empty_tree (i int) PARTITION BY HASH (i);
CREATE TABLE no_columns ();
