-- The definition of a table, PhoenixKit's keys and ours.
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS numeric(8,2) CHECK (VALUE > 0);
CREATE TABLE everything (
    a bigint GENERATED ALWAYS AS IDENTITY,
    b varchar(20) COLLATE "C" NOT NULL DEFAULT 'x',
    c positive,
    d mood[],
    e timestamptz DEFAULT now(),
    f int GENERATED ALWAYS AS (1 + 1) STORED,
    g char(3),
    h bit varying(7),
    i "char",
    j numeric(5,-2),
    k float4,
    "L m" text,
    PRIMARY KEY (b, a)
);
SELECT k, jsonb_pretty(v) FROM jsonb_each(sync_get_schema('everything')) AS t(k, v) WHERE k <> 'columns' ORDER BY 1;
SELECT c->>'name' AS name, c->>'type' AS type, c->>'base_type' AS base_type, c->'nullable' AS nullable, c->'primary_key' AS pk, c->>'default' AS "default",
    c->'max_length' AS len, c->'precision' AS prec, c->'scale' AS scale, c->>'identity' AS ident, c->'generated' AS gen,
    c->>'collation' AS collation, c->'binary' AS "binary"
FROM jsonb_array_elements(sync_get_schema('everything')->'columns') c;
ALTER TABLE everything DROP COLUMN d;
SELECT jsonb_agg(c->'name') FROM jsonb_array_elements(sync_get_schema('everything')->'columns') c;
SELECT sync_get_schema(NULL);
CREATE VIEW v AS SELECT a, b FROM everything;
SELECT sync_get_schema('v')->>'kind';
DROP VIEW v;
DROP TABLE everything;
DROP DOMAIN positive;
DROP TYPE mood;
