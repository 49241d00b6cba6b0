-- Rows that fail on their own do not take the others with them; the first one is raised where none may fail.
CREATE FUNCTION result(r sync_result) RETURNS text LANGUAGE sql AS
    $$ SELECT format('%s created, %s updated, %s skipped, %s errors', r.created, r.updated, r.skipped, r.error_count) $$;
CREATE FUNCTION errors(r sync_result) RETURNS TABLE(pos int, key jsonb, sqlstate text, message text, detail text, "constraint" text, "column" text) LANGUAGE sql AS
    $$ SELECT (e->>'position')::int, nullif(e->'key', 'null'), e->>'sqlstate', e->>'message', e->>'detail', e->>'constraint', e->>'column' FROM jsonb_array_elements(r.errors) e $$;

CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, email text UNIQUE, age int CHECK (age >= 0), note varchar(5));
INSERT INTO child VALUES (1, 1, 'a@b', 1, 'x');
CREATE FUNCTION records() RETURNS jsonb LANGUAGE sql AS $$ SELECT '[
    {"id": 2, "parent": 1, "email": "c@d"},
    {"id": 3, "parent": 99},
    {"id": 4, "email": "a@b"},
    {"id": 5, "age": -1},
    {"id": 6, "note": "too long"},
    {"id": "seven"},
    {"id": 8, "email": "h@h", "age": 8},
    {"id": 1, "age": -5}]'::jsonb $$;
SELECT pos, key, sqlstate, message, "constraint", "column" FROM errors(sync_import('child', records(), 'overwrite'));
TABLE child ORDER BY id;

-- max_errors: none, some, enough.
SELECT sync_import('child', records(), 'overwrite', 0);
SELECT sync_import('child', records(), 'overwrite', 3);
SELECT result(sync_import('child', records(), 'overwrite', 6));
\set VERBOSITY verbose
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM sync_import('child', '[{"id": 3, "parent": 99}]', 'skip', 0);
EXCEPTION WHEN foreign_key_violation THEN RAISE NOTICE 'foreign_key_violation'; END $$;
\set VERBOSITY default

-- Ten bad rows among many: each is found, the others are there. More than 100 are counted, 100 listed.
CREATE TABLE many (id int PRIMARY KEY, v int CHECK (v <> 13));
SELECT result(r), jsonb_path_query_array(r.errors, '$[*].key.id') FROM sync_import('many',
    (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', CASE WHEN i % 1000 = 7 THEN 13 ELSE 0 END)) FROM generate_series(1, 10000) i)) r;
SELECT count(*), sum(id) FROM many;
SELECT result(r), jsonb_array_length(r.errors) FROM sync_import('many',
    (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', 13)) FROM generate_series(20001, 20150) i)) r;

-- What a trigger raises is the row's; what it drops is skipped; what it changes is as it wants.
CREATE TABLE guarded (id int PRIMARY KEY, v text);
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.v = 'raise' THEN RAISE EXCEPTION 'not that' USING DETAIL = 'it said raise'; END IF;
    IF NEW.v = 'drop' THEN RETURN NULL; END IF;
    NEW.v := upper(NEW.v);
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
SELECT result(r), r.errors FROM sync_import('guarded', '[{"id": 1, "v": "raise"}, {"id": 2, "v": "drop"}, {"id": 3, "v": "keep"}]') r;
TABLE guarded;

-- A deferred constraint shows before the call returns, and is deferred again afterwards.
CREATE TABLE later (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
SELECT pos, key, sqlstate, message FROM errors(sync_import('later', '[{"id": 1, "parent": 55}]'));
BEGIN;
SELECT result(sync_import('later', '[{"id": 1, "parent": 1}]'));
INSERT INTO later VALUES (2, 77);
INSERT INTO parent VALUES (77);
COMMIT;
TABLE later ORDER BY id;

-- What is no row's error ends the call: a missing right, a cancelled statement.
CREATE ROLE nobody_special;
GRANT SELECT ON child TO nobody_special;
SET ROLE nobody_special;
SELECT sync_import('child', '[{"id": 100}]');
RESET ROLE;
DROP OWNED BY nobody_special;
DROP ROLE nobody_special;
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON many FOR EACH ROW EXECUTE FUNCTION slow();
SET statement_timeout = '200ms';
SELECT sync_import('many', '[{"id": 99999, "v": 1}]');
RESET statement_timeout;

-- Row level security: a row that a policy refuses is a row error.
CREATE TABLE secured (id int PRIMARY KEY, owner text DEFAULT current_user);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE ROLE clerk;
GRANT ALL ON secured TO clerk;
CREATE POLICY own ON secured USING (owner = current_user);
SET ROLE clerk;
SELECT result(r), r.errors FROM sync_import('secured', '[{"id": 1}, {"id": 2, "owner": "boss"}]') r;
SELECT sync_checksum('secured');
RESET ROLE;
TABLE secured;

-- Errors inside an exception block of PL/pgSQL leave its subtransactions as they were.
DO $$
BEGIN
    BEGIN
        PERFORM sync_import('child', '[{"id": 3, "parent": 99}]', 'skip', 0);
    EXCEPTION WHEN OTHERS THEN
        INSERT INTO parent VALUES (200);
    END;
    PERFORM sync_import('child', '[{"id": 300, "parent": 200}, {"id": 301, "parent": 201}]');
END $$;
SELECT id FROM parent WHERE id = 200;
SELECT id FROM child WHERE id >= 300;

DROP TABLE child, later, parent, many, guarded, secured;
DROP OWNED BY clerk;
DROP ROLE clerk;
DROP FUNCTION result, errors, records, guard, slow;
