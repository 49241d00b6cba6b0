-- Every statement that sync writes means the same under a search_path in which everything is shadowed.
CREATE SCHEMA evil;
CREATE FUNCTION evil.bad() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE FUNCTION evil.eq(int, int) RETURNS bool LANGUAGE sql AS 'SELECT evil.bad()';
CREATE FUNCTION evil.eq8(bigint, bigint) RETURNS bool LANGUAGE sql AS 'SELECT evil.bad()';
CREATE FUNCTION evil.eqt(text, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.bad()';
CREATE FUNCTION evil.eqo(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT evil.bad()';
CREATE FUNCTION evil.eqn(name, name) RETURNS bool LANGUAGE sql AS 'SELECT evil.bad()';
DO $$ DECLARE op text; BEGIN
    FOREACH op IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>='] LOOP
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.eq)', op);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.eq8)', op);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eqt)', op);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.eqo)', op);
        EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.eqn)', op);
    END LOOP;
END $$;
CREATE FUNCTION evil.count() RETURNS bigint LANGUAGE sql AS 'SELECT evil.bad()::int::bigint';
CREATE FUNCTION evil.max(int) RETURNS int LANGUAGE sql AS 'SELECT evil.bad()::int';
CREATE FUNCTION evil.jsonb_build_object(text, int) RETURNS jsonb LANGUAGE sql AS 'SELECT evil.bad()::text::jsonb';
CREATE FUNCTION evil.lead(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT evil.bad()::int::bigint';
CREATE FUNCTION evil.setval(regclass, bigint) RETURNS bigint LANGUAGE sql AS 'SELECT evil.bad()::int::bigint';
CREATE FUNCTION evil.quote_ident(text) RETURNS text LANGUAGE sql AS 'SELECT evil.bad()::text';
CREATE FUNCTION evil._sync_differ(record, record) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz WHERE evil.bad()';
CREATE TABLE evil.pg_class (oid oid);
CREATE TABLE evil.pg_attribute (attrelid oid);
CREATE TABLE evil.pg_namespace (oid oid);
CREATE TABLE evil.sync_settings (enabled bool);
CREATE TABLE evil.pgsync_incoming (n bigint);
CREATE TYPE evil.int8 AS ENUM ('captured');
CREATE TYPE evil.text AS ENUM ('captured');
CREATE DOMAIN evil.jsonb AS pg_catalog.int4;

CREATE TABLE public.victim (id serial PRIMARY KEY, k int NOT NULL UNIQUE, t text, at timestamptz DEFAULT pg_catalog.now());
INSERT INTO public.victim (k, t) VALUES (1, 'a'), (2, 'b');
GRANT USAGE ON SCHEMA evil TO PUBLIC;

SET search_path = evil, pg_catalog;
SELECT public.sync_enabled();
SELECT name, row_count FROM public.sync_list_tables() WHERE name OPERATOR(pg_catalog.=) 'victim';
SELECT public.sync_get_count('public.victim');
SELECT pg_catalog.length(public.sync_checksum('public.victim'));
SELECT public.sync_get_schema('public.victim') OPERATOR(pg_catalog.->>) 'table';
SELECT r OPERATOR(pg_catalog.-) '{at}'::pg_catalog.text[] FROM public.sync_export('public.victim', after => '{"id": 1}') r;
SELECT created, updated, skipped, errors FROM public.sync_import('public.victim', '[{"id": 1, "t": "new"}, {"id": 3, "k": 3}, {"id": 3, "k": 4}, {"id": 5, "k": 1}]', 'overwrite');
SELECT (public.sync_import('public.victim', '[{"k": 50}]', 'append')).created;
SELECT public.sync_create_table('public.copied', public.sync_get_schema('public.victim'));
SELECT public.sync_enable();
RESET search_path;
SELECT id, k, t FROM victim ORDER BY id;
\d copied
-- User triggers, on the other hand, see the caller's search_path.
CREATE FUNCTION show_path() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.t := current_setting('search_path'); RETURN NEW; END $$;
CREATE TRIGGER show_path BEFORE INSERT OR UPDATE ON victim FOR EACH ROW EXECUTE FUNCTION show_path();
SET search_path = evil, public;
SELECT (sync_import('public.victim', '[{"id": 99, "k": 99}]')).created;
RESET search_path;
SELECT t FROM victim WHERE id = 99;
DROP TABLE victim, copied;
DROP FUNCTION show_path;
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
