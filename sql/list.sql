-- What is listed, and how.
CREATE SCHEMA shop;
CREATE TABLE public.plain (id int PRIMARY KEY, other int REFERENCES public.plain);
CREATE TABLE shop.customer (id int PRIMARY KEY);
CREATE TABLE shop."Order ""x""" (id int PRIMARY KEY, customer int REFERENCES shop.customer, again int REFERENCES shop.customer,
    plain int REFERENCES public.plain);
CREATE UNLOGGED TABLE public.unlogged (id int);
CREATE TEMP TABLE temporary (id int);
CREATE VIEW public.a_view AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW public.a_matview AS SELECT 1 AS one;
CREATE TABLE public.parted (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE public.parted_1 PARTITION OF public.parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.parent (id int);
CREATE TABLE public.child (extra int) INHERITS (public.parent);
CREATE TABLE public.schema_migrations (version int);
CREATE TABLE public.oban_jobs (id int);
CREATE TABLE public.pg_mine (id int);
CREATE TABLE public.pgfoo (id int);
CREATE TABLE public.phoenix_kit_users (id int);
CREATE TABLE public.phoenix_kit_user_tokens (id int);
INSERT INTO public.plain SELECT i FROM generate_series(1, 3) i;
INSERT INTO public.parted VALUES (1, '2024-05-05'), (2, '2024-06-06');
INSERT INTO public.parent VALUES (1);
INSERT INTO public.child VALUES (1, 2);

SELECT schema, name, row_count, depends_on FROM sync_list_tables();
SELECT schema, name, row_count, depends_on FROM sync_list_tables('shop');
SELECT schema, name FROM sync_list_tables(NULL);
SELECT name FROM sync_list_tables(include_phoenix_kit => false);
SELECT count(*) FROM sync_list_tables('no such schema');

-- The planner's numbers, or NULL where there are none yet.
ANALYZE public.plain;
SELECT name, row_count FROM sync_list_tables(exact_counts => false) WHERE name IN ('plain', 'pgfoo');
SELECT name, size_bytes > 0 AS has_size FROM sync_list_tables() WHERE name IN ('plain', 'parted', 'pgfoo');
SELECT sync_list_tables(exact_counts => NULL);

-- Within a query that has parallel workers.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*), (SELECT sum(row_count) FROM sync_list_tables() WHERE name = 'plain') AS listed FROM public.plain;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- What they take on disk: indexes, TOAST and all partitions, as the server itself says.
CREATE TABLE measured (id int PRIMARY KEY, v text);
ALTER TABLE measured ALTER COLUMN v SET STORAGE EXTERNAL;
CREATE INDEX ON measured (v text_pattern_ops) WHERE length(v) < 100;
INSERT INTO measured SELECT i, repeat('x', CASE WHEN i % 10 = 0 THEN 5000 ELSE 10 END) FROM generate_series(1, 2000) i;
CREATE UNLOGGED TABLE measured_unlogged AS SELECT * FROM measured;
CREATE TABLE measured_parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE measured_low PARTITION OF measured_parted FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (id);
CREATE TABLE measured_lowest PARTITION OF measured_low FOR VALUES FROM (0) TO (500);
CREATE TABLE measured_high PARTITION OF measured_parted FOR VALUES FROM (1000) TO (3000);
INSERT INTO measured_parted SELECT * FROM measured WHERE id < 500 OR id >= 1000;
CREATE TABLE measured_none ();
VACUUM measured, measured_parted;
SELECT name, size_bytes = coalesce((SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(name::regclass::oid)),
        pg_total_relation_size(name::regclass)) AS same, size_bytes > 100000 AS large
    FROM sync_list_tables(exact_counts => false) WHERE name LIKE 'measured%' AND name NOT LIKE '%unlogged%';
SELECT size_bytes = pg_total_relation_size('measured_unlogged') AS same FROM sync_list_tables(exact_counts => false) WHERE name = 'measured_unlogged';
DROP TABLE measured, measured_unlogged, measured_parted, measured_none;

-- Existence, as SQL names tables; views and catalogs are no tables.
SELECT sync_table_exists('plain'), sync_table_exists('PLAIN'), sync_table_exists('"PLAIN"'), sync_table_exists('shop.customer'),
    sync_table_exists('shop."Order ""x"""'), sync_table_exists('nothing'), sync_table_exists('a_view'), sync_table_exists('pg_class');
SELECT sync_table_exists(NULL);
SELECT sync_table_exists('a.b.c.d');

-- Counting.
SELECT sync_get_count('plain'), sync_get_count('parted'), sync_get_count('a_view');
SELECT sync_get_count('parent');
SELECT sync_get_count('temporary');
SELECT sync_get_count('pg_class');
SELECT sync_get_count('oban_jobs');
SELECT sync_get_count('sync_settings');
SELECT sync_get_count(NULL);

DROP SCHEMA shop CASCADE;
DROP TABLE plain, unlogged, parted, child, parent, schema_migrations, oban_jobs, pg_mine, pgfoo, phoenix_kit_users, phoenix_kit_user_tokens;
DROP MATERIALIZED VIEW a_matview;
DROP VIEW a_view;
