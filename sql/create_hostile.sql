-- Definitions that are no friends: clear errors or something left out, no code run, no crash.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION evil(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN true; END $$;
CREATE FUNCTION evil_text(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN $1; END $$;
CREATE FUNCTION evil_diff(int, int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN 1; END $$;
-- Tries a definition, tells what became of it, and undoes it.
CREATE FUNCTION try(definition jsonb, name text DEFAULT 't') RETURNS text LANGUAGE plpgsql AS $$
DECLARE made regclass; result text; detail text;
BEGIN
    BEGIN
        made := sync_create_table(name, definition);
        SELECT concat_ws(' | ', made, (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conname) FROM pg_constraint WHERE conrelid = made),
            (SELECT string_agg(pg_get_indexdef(indexrelid), ', ' ORDER BY indexrelid) FROM pg_index WHERE indrelid = made)) INTO result;
        RAISE EXCEPTION USING errcode = 'ZZZZZ', message = result;
    EXCEPTION
        WHEN SQLSTATE 'ZZZZZ' THEN RETURN 'made: ' || result;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            RETURN SQLSTATE || ': ' || SQLERRM || CASE WHEN detail <> '' THEN ' -- ' || detail ELSE '' END;
    END;
END $$;
-- A table of columns a int, b text, c mood, and more keys.
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE FUNCTION define(more jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT '{"table": "t", "columns": [{"name": "a", "type": "integer", "base_type": "pg_catalog.int4"}, {"name": "b", "type": "text", "base_type": "pg_catalog.text"}]}'::jsonb || more $$;
CREATE FUNCTION chk(expression text) RETURNS text LANGUAGE sql AS $$
    SELECT try(define(jsonb_build_object('constraints', jsonb_build_array(jsonb_build_object('name', 'k', 'definition', 'CHECK (' || expression || ')'))))) $$;
CREATE FUNCTION constrain(definition text) RETURNS text LANGUAGE sql AS $$
    SELECT try(define(jsonb_build_object('constraints', jsonb_build_array(jsonb_build_object('name', 'k', 'definition', definition))))) $$;
CREATE FUNCTION idx(definition text) RETURNS text LANGUAGE sql AS $$
    SELECT try(define(jsonb_build_object('indexes', jsonb_build_array(jsonb_build_object('name', 'i', 'definition', definition))))) $$;
CREATE FUNCTION types(more jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT try(jsonb_build_object('types', jsonb_build_array('{"schema": "public", "name": "n"}'::jsonb || more),
        'columns', jsonb_build_array('{"name": "a", "type": "public.n"}'::jsonb))) $$;

\echo checks
SELECT chk('a > 0');
SELECT chk('public.evil(a)');
SELECT chk('evil(a)');
SELECT chk('a > (SELECT 1)');
SELECT chk('EXISTS (SELECT FROM pg_authid)');
SELECT chk('count(*) > 0');
SELECT chk('row_number() OVER () > 0');
SELECT chk('generate_series(1, a) > 0');
SELECT chk('a > $1');
SELECT chk('ctid IS NOT NULL');
SELECT chk('tableoid > 0');
SELECT chk('t IS NOT NULL');
SELECT chk('t.a > 0');
SELECT chk('t.* IS NOT NULL');
SELECT chk('public.t.a > 0');
SELECT chk('a > 0), DROP COLUMN b, ADD CHECK (true');
SELECT chk('a > 0); DROP TABLE t; --');
SELECT chk('a > 0) NO INHERIT NOT VALID DEFERRABLE; SELECT (1');
SELECT chk('pg_read_file(''/etc/passwd'') <> ''''');
SELECT chk('pg_sleep(10) IS NULL');
SELECT chk('set_config(''role'', ''postgres'', false) <> ''''');
SELECT chk('nextval(''s'') > 0');
SELECT chk('query_to_xml(''SELECT 1'', true, true, '''') IS NOT NULL');
SELECT chk('b::public.mood = ''sad''');
SELECT chk('xmlexists(''a'' PASSING BY VALUE xmlparse(CONTENT b))');
SELECT chk(repeat('NOT ', 60) || '(a > 0)');
SELECT chk(repeat('(', 20000) || 'a > 0' || repeat(')', 20000));
SELECT chk('b <> ''' || repeat('x', 50000) || '''');
SELECT chk('a');
SELECT chk('nowhere > 0');
SELECT chk(E'b ~ E''\\\\d''') , chk('now() > ''2020-01-01''');
SELECT constrain('CHECK (a > 0) NO INHERIT'), constrain('CHECK (a > 0) NOT VALID');
-- What is planted in public is not found, or found out.
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE FUNCTION evil_op(int, int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN true; END $$;
CREATE OPERATOR = (LEFTARG = int, RIGHTARG = int, FUNCTION = evil_op);
CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT public.evil_text($1) $$;
CREATE FUNCTION mood_from(int) RETURNS mood LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN 'sad'; END $$;
CREATE CAST (int AS mood) WITH FUNCTION mood_from(int) AS IMPLICIT;
SET search_path = public, pg_catalog;
SELECT chk('a = 1');
SELECT chk('a === 1');
SELECT chk('a OPERATOR(public.=) 1');
SELECT chk('a OPERATOR(public.===) 1');
SELECT chk('lower(b) = ''x''');
SELECT chk('public.lower(b) = ''x''');
SELECT chk('1::public.mood = ''sad''');
RESET search_path;
SELECT try('{"kind": "p", "partition_key": "LIST (m)", "columns": [{"name": "m", "type": "public.mood"}], "partitions": [{"table": "p", "bound": "FOR VALUES IN (1)"}]}');
SELECT try('{"columns": [{"name": "m", "type": "public.mood", "default": "1"}]}');
DROP CAST (int AS mood);

\echo constraints
SELECT constrain('UNIQUE (a)');
SELECT constrain('UNIQUE (ctid)');
SELECT constrain('UNIQUE (a, a)');
SELECT constrain('UNIQUE USING INDEX pg_class_oid_index');
SELECT constrain('UNIQUE (a) USING INDEX TABLESPACE pg_global');
SELECT constrain('PRIMARY KEY (nope)');
SELECT constrain('FOREIGN KEY (a) REFERENCES pg_catalog.pg_class(oid)');
SELECT constrain('EXCLUDE USING btree (a WITH =)');
SELECT constrain('EXCLUDE USING btree (a WITH OPERATOR(public.=))');
SELECT constrain('EXCLUDE USING btree ((public.evil(a)) WITH =)');
SELECT constrain('EXCLUDE USING nope (a WITH =)');
SELECT constrain('EXCLUDE USING btree (a WITH =) WHERE (public.evil(a))');
SELECT constrain('DEFAULT 1');
SELECT constrain('');
SELECT constrain('CHECK (true), ADD COLUMN x int');
SELECT try(define('{"constraints": [{"name": "", "definition": "CHECK (true)"}]}'));
SELECT try(define(jsonb_build_object('constraints', jsonb_build_array(jsonb_build_object('name', repeat('x', 64), 'definition', 'CHECK (true)')))));
SELECT try(define('{"constraints": [{"name": "x", "definition": "UNIQUE (a)"}, {"name": "x", "definition": "UNIQUE (b)"}]}'));
SELECT try(define('{"constraints": [{"name": "x", "definition": "PRIMARY KEY (a)"}, {"name": "y", "definition": "PRIMARY KEY (b)"}]}'));
SELECT try(define('{"constraints": [{"name": "x", "parent": "y"}], "indexes": [{"name": "x", "parent": "y"}]}'));

\echo foreign keys
CREATE FUNCTION fk(definition text) RETURNS text LANGUAGE sql AS $$
    SELECT try(define(jsonb_build_object('foreign_keys', jsonb_build_array(jsonb_build_object('name', 'k', 'definition', definition))))) $$;
CREATE TABLE target (id int PRIMARY KEY, b text);
SELECT fk('FOREIGN KEY (a) REFERENCES public.target(id) MATCH FULL ON DELETE SET NULL (a) DEFERRABLE');
SELECT fk('FOREIGN KEY (a) REFERENCES public.target(b)');
SELECT fk('FOREIGN KEY (a) REFERENCES public.target(nope)');
SELECT fk('FOREIGN KEY (nope) REFERENCES public.target(id)');
SELECT fk('FOREIGN KEY (a) REFERENCES public.nope(id)');
SELECT fk('FOREIGN KEY (a) REFERENCES nowhere.nope(id)');
SELECT fk('FOREIGN KEY (a) REFERENCES target(id)');
SELECT fk('FOREIGN KEY (a) REFERENCES pg_catalog.pg_class(oid)');
SELECT fk('CHECK (a > 0)');
SELECT fk('FOREIGN KEY (a) REFERENCES public.target(id); DROP TABLE target');

\echo indexes
SELECT idx('CREATE INDEX i ON public.t USING btree (a)');
SELECT idx('CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS other ON pg_catalog.pg_class USING btree (a) TABLESPACE pg_global');
SELECT idx('CREATE INDEX i ON public.t USING btree (public.evil(a))');
SELECT idx('CREATE INDEX i ON public.t USING btree (a) WHERE public.evil(a)');
SELECT idx('CREATE INDEX i ON public.t USING btree (now())');
SELECT idx('CREATE INDEX i ON public.t USING nope (a)');
SELECT idx('CREATE INDEX i ON public.t USING gin (a)');
SELECT idx('CREATE INDEX i ON public.t USING btree (a public.nope_ops)');
SELECT idx('CREATE INDEX i ON public.t USING btree (b COLLATE public.nope)');
SELECT idx('CREATE INDEX i ON public.t USING btree (nope)');
SELECT idx('CREATE INDEX i ON public.t USING btree (a) INCLUDE (nope)');
SELECT idx('CREATE INDEX i ON public.t USING btree (a); DROP TABLE target');
SELECT idx('DROP TABLE target');
SELECT idx('SELECT public.evil(1)');
SELECT idx('CREATE INDEX i ON public.t USING btree (a text_ops)');
SELECT idx('CREATE INDEX i ON public.t USING btree ((SELECT 1))');
SELECT try(define('{"indexes": [{"name": "i", "definition": "CREATE INDEX i ON t USING btree (a)", "options": ["fillfactor=70", "buffering=auto); DROP TABLE target", "oids=true", "fillfactor=80", "nonsense"]}]}'));
-- A name that is taken gives way.
SELECT try(define('{"indexes": [{"name": "target", "definition": "CREATE INDEX i ON t USING btree (a)"}, {"name": "target", "definition": "CREATE INDEX i ON t USING btree (b)"}]}'));
SELECT try(define('{"options": ["fillfactor=1000"]}'));
SELECT try(define('{"options": ["fillfactor=90", "user_catalog_table=true", "toast.nope=1"], "access_method": "nope"}'));
SELECT try('{"columns": [{"name": "a", "type": "int", "options": ["pg_attver=1", "n_distinct=3"], "statistics": 99999999999, "storage": "q", "compression": "q"}]}');

\echo types
SELECT types('{"kind": "e", "labels": ["x", "y"]}');
SELECT types('{"kind": "e", "labels": ["x", "x"]}');
SELECT types('{"kind": "e", "labels": [""]}');
SELECT types(jsonb_build_object('kind', 'e', 'labels', jsonb_build_array(repeat('x', 64))));
SELECT types('{"kind": "x", "extension": "no_such"}');
SELECT types('{"kind": "t"}');
SELECT types('{"kind": "b"}');
SELECT types('{"kind": "d", "base": "integer", "constraints": [{"name": "c", "definition": "CHECK (public.evil(VALUE))"}, {"name": "d", "definition": "CHECK (VALUE > 3)"}]}');
SELECT types('{"kind": "d", "base": "integer", "constraints": [{"name": "c", "definition": "FOREIGN KEY (a) REFERENCES x.y(z)"}], "default": "public.evil(1)"}');
SELECT types('{"kind": "d", "base": "integer", "default": "nextval(''s''::regclass)"}');
SELECT types('{"kind": "d", "base": "public.n"}');
SELECT types('{"kind": "d", "base": "anyelement"}');
SELECT types('{"kind": "c", "attributes": [{"name": "x", "type": "public.n"}]}');
SELECT types('{"kind": "c", "attributes": [{"name": "x", "type": "public.n[]"}]}');
SELECT types('{"kind": "c", "attributes": [{"name": "x", "type": "int"}, {"name": "x", "type": "int"}]}');
SELECT types('{"kind": "r", "base": "integer", "canonical": "public.evil", "multirange": "ns"}');
SELECT types('{"kind": "r", "base": "integer", "subtype_diff": "public.evil", "multirange": "ns"}');
SELECT types('{"kind": "r", "base": "point"}');
SELECT types('{"kind": "e", "labels": ["x"], "schema": "pg_catalog"}');
SELECT types('{"kind": "e", "labels": ["x"], "schema": "pg_temp"}');
SELECT types('{"kind": "e", "labels": ["x"], "schema": "information_schema"}');
SELECT types('{"kind": "e", "labels": ["x"], "schema": "nowhere"}');
SELECT types('{"kind": "e", "labels": ["x"], "name": "mood"}');
SELECT types('{"kind": "e", "labels": ["x"], "name": "target"}');
SELECT types(jsonb_build_object('kind', 'e', 'labels', '["x"]'::jsonb, 'name', repeat('x', 64)));
SELECT types('{"kind": "e", "labels": ["x"], "name": ""}');
-- The same name as a built-in type's: what is not qualified is the built-in one.
SELECT try('{"types": [{"schema": "public", "name": "int4", "kind": "e", "labels": ["evil"]}], "columns": [{"name": "a", "type": "int4", "default": "7"}]}');
SELECT try('{"types": [{"schema": "public", "name": "x", "kind": "e", "labels": ["a"]}, {"schema": "public", "name": "x", "kind": "e", "labels": ["b"]}], "columns": []}');
-- A domain of another role that makes its code run for whoever stores a value.
CREATE ROLE mallory;
GRANT CREATE ON SCHEMA public TO mallory;
SET ROLE mallory;
CREATE DOMAIN trap AS int CHECK (public.evil(VALUE));
CREATE DOMAIN fair AS int CHECK (VALUE > 0);
RESET ROLE;
SELECT try('{"columns": [{"name": "a", "type": "public.trap"}]}');
SELECT try('{"columns": [{"name": "a", "type": "public.trap[]"}]}');
SELECT try('{"types": [{"schema": "public", "name": "trap", "kind": "d", "base": "integer", "constraints": [{"name": "trap_check", "definition": "CHECK (evil(VALUE))"}]}], "columns": [{"name": "a", "type": "public.trap"}]}');
SELECT try('{"types": [{"schema": "public", "name": "trap", "kind": "d", "base": "integer", "constraints": [{"name": "trap_check", "definition": "CHECK (public.evil(VALUE))"}]}], "columns": [{"name": "a", "type": "public.trap"}]}');
SELECT try('{"columns": [{"name": "a", "type": "public.fair"}]}');
-- Also where no column is of that type, and an expression would have it evaluated while a query is planned.
CREATE FUNCTION use_trap(more jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT try(define('{"types": [{"schema": "public", "name": "trap", "kind": "d", "base": "integer", "constraints": [{"name": "trap_check", "definition": "CHECK (public.evil(VALUE))"}]}]}'::jsonb || more)) $$;
SELECT use_trap('{"indexes": [{"name": "i", "definition": "CREATE INDEX i ON public.t USING btree (a) WHERE (5::public.trap)::integer > a"}]}');
SELECT use_trap('{"constraints": [{"name": "k", "definition": "CHECK ((5::public.trap)::integer > a)"}]}');
-- A range type's own functions.
SET ROLE mallory;
CREATE TYPE trange AS RANGE (SUBTYPE = int4, SUBTYPE_DIFF = evil_diff, MULTIRANGE_TYPE_NAME = tranges);
RESET ROLE;
SELECT try('{"columns": [{"name": "a", "type": "public.trange"}]}');
SELECT try('{"columns": [{"name": "a", "type": "public.tranges[]"}]}');
-- A cast to a type of somebody else, which checking a foreign key would call.
SET ROLE mallory;
CREATE TYPE owned AS ENUM ('1');
CREATE TABLE owned_table (id owned PRIMARY KEY);
CREATE FUNCTION evil_owned(int) RETURNS owned LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'evil has run'; RETURN '1'; END $$;
CREATE CAST (int AS owned) WITH FUNCTION evil_owned(int) AS IMPLICIT;
RESET ROLE;
SELECT fk('FOREIGN KEY (a) REFERENCES public.owned_table(id)');
DROP TABLE owned_table;
DROP CAST (int AS owned);
DROP FUNCTION evil_owned, use_trap;
DROP TYPE owned, trange;

\echo columns, sequences
SELECT try('{"columns": [{"name": "a", "type": "int", "generated": true, "default": "public.evil(1)"}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "generated": true, "default": "random()::int"}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "generated": true}]}');
SELECT try('{"columns": [{"name": "ctid", "type": "int"}]}');
SELECT try('{"columns": [{"name": "", "type": "int"}]}');
SELECT try(jsonb_build_object('columns', jsonb_build_array(jsonb_build_object('name', repeat('ü', 32), 'type', 'int'))));
SELECT try(jsonb_build_object('columns', (SELECT jsonb_agg(jsonb_build_object('name', 'c' || i, 'type', 'int')) FROM generate_series(1, 1601) i)));
SELECT try(jsonb_build_object('columns', '[]'::jsonb, 'partitions', (SELECT jsonb_agg(jsonb_build_object('table', 'p' || i, 'bound', 'DEFAULT')) FROM generate_series(1, 3) i)));
SELECT try('{"columns": [{"name": "a%s\"; --", "type": "int"}]}');
SELECT try('{"columns": [{"name": "a", "type": "anyelement"}]}');
SELECT try('{"columns": [{"name": "a", "type": "setof int"}]}');
SELECT try('{"columns": [{"name": "a", "type": "public.target.id%TYPE"}]}');
SELECT try(jsonb_build_object('columns', jsonb_build_array(jsonb_build_object('name', 'a', 'type', repeat('x', 20000)))));
SELECT try('{"columns": [{"name": "a", "type": "text", "identity": "a"}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "identity": "a", "identity_sequence": {"name": "target", "schema": "pg_catalog", "start": 5, "min": 10}}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "base_type": "x", "default": "nextval(''public.s''::regclass)"}], "sequences": [{"schema": "public", "name": "s", "type": "evil"}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "base_type": "x", "default": "nextval(''public.s''::regclass)"}], "sequences": [{"schema": "public", "name": "s", "increment": 0}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "base_type": "x", "default": "nextval(''public.s''::regclass)"}], "sequences": [{"schema": "pg_catalog", "name": "s"}]}');
CREATE SEQUENCE taken;
SELECT try('{"columns": [{"name": "a", "type": "int", "base_type": "x", "default": "nextval(''public.taken''::regclass)"}], "sequences": [{"schema": "public", "name": "taken"}]}');
SELECT try('{"columns": [{"name": "a", "type": "int", "base_type": "x", "default": "setval(''public.s''::regclass, 5)"}], "sequences": [{"schema": "public", "name": "s"}]}');
SELECT try('{"table": "t", "columns": [{"name": "a", "type": "int"}], "sequences": [{"schema": "public", "name": "s", "owned_by": {"schema": "public", "table": "target", "column": "id"}}]}');
SELECT try('{"table": "t", "columns": [{"name": "a", "type": "int"}], "sequences": [{"schema": "public", "name": "s", "owned_by": {"schema": "public", "table": "t", "column": "nope"}}]}');

\echo partitions
CREATE FUNCTION part(key text, bound text) RETURNS text LANGUAGE sql AS $$
    SELECT try(define(jsonb_build_object('kind', 'p', 'partition_key', key, 'partitions', jsonb_build_array(jsonb_build_object('table', 'p', 'bound', bound))))) $$;
SELECT part('RANGE (a)', 'FOR VALUES FROM (1) TO (MAXVALUE)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (1) TO (2, 3)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (public.evil_text(''1'')) TO (2)');
SELECT part('RANGE (a)', 'FOR VALUES FROM ((SELECT 1)) TO (2)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (nope) TO (2)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (5) TO (2)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (''x'') TO (2)');
SELECT part('RANGE (a)', 'FOR VALUES FROM (1) TO (2), DROP COLUMN b');
SELECT part('RANGE (a)', 'DEFAULT; DROP TABLE target');
SELECT part('RANGE (a)', '');
SELECT part('LIST (a)', 'FOR VALUES WITH (MODULUS 0, REMAINDER 5)');
SELECT part('LIST (a, b)', 'DEFAULT');
SELECT part('NONSENSE (a)', 'DEFAULT');
SELECT part('LIST (public.evil(a))', 'DEFAULT');
SELECT part('LIST (now())', 'DEFAULT');
SELECT part('LIST (ctid)', 'DEFAULT');
SELECT part('LIST (a) WITH (fillfactor = 5) TABLESPACE pg_global', 'DEFAULT');
SELECT part('LIST (a); DROP TABLE target', 'DEFAULT');
SELECT part('', 'DEFAULT');
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "target", "bound": "DEFAULT"}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "schema": "pg_catalog", "bound": "DEFAULT"}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT"}, {"table": "p", "bound": "DEFAULT"}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT"}, {"table": "q", "bound": "DEFAULT"}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT", "parent": 0}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT", "parent": -2}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT", "kind": "v"}]}'));
SELECT try(define('{"kind": "p", "partition_key": "LIST (a)", "partitions": [{"table": "p", "bound": "DEFAULT", "columns": [{"name": "x", "type": "int"}]}]}'));
SELECT try(define('{"kind": "v"}'));

\echo the rest
SELECT try(define('{"replica_identity": "z", "comment": "it''s; DROP TABLE target", "not_carried": ["trigger %s %n", "view \u0007"], "owner": "somebody"}'));
SELECT try(define('{}'), 'pg_catalog.t');
SELECT try(define('{}'), 'information_schema.t');
SELECT try(define('{}'), 'pg_toast.t');
SELECT try('{"table": "\u0000", "columns": []}');
SELECT try(define('{"not_carried": 5}'));
SELECT try(define('{"types": {"a": 1}}'));
SELECT try((SELECT define(jsonb_build_object('not_carried', jsonb_agg('thing ' || i))) FROM generate_series(1, 1000) i)) ~ '^made';

DROP TABLE target;
DROP SEQUENCE taken;
DROP DOMAIN trap, fair;
DROP OWNED BY mallory;
DROP ROLE mallory;
DROP OPERATOR === (int, int);
DROP OPERATOR public.= (int, int);
DROP FUNCTION part, fk, types, idx, constrain, chk, define, try, evil, evil_op, evil_diff, public.lower(text), evil_text, mood_from;
DROP TYPE mood;
