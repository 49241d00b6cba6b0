-- Sequences follow the values that come in, and never go backwards.
CREATE SEQUENCE shared_seq;
CREATE TABLE a (id serial PRIMARY KEY, x int);
CREATE TABLE b (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x int);
CREATE TABLE c (id int PRIMARY KEY DEFAULT nextval('shared_seq'));
CREATE TABLE d (id int PRIMARY KEY DEFAULT nextval('shared_seq'));
CREATE SEQUENCE down INCREMENT -2 START -10;
CREATE TABLE e (id int PRIMARY KEY DEFAULT nextval('down'));
CREATE TABLE f (id numeric PRIMARY KEY DEFAULT nextval('shared_seq'));

SELECT (sync_import('a', '[{"id": 41}]')).created;
INSERT INTO a DEFAULT VALUES RETURNING id;
SELECT (sync_import('a', '[{"id": 7}]')).created;
INSERT INTO a DEFAULT VALUES RETURNING id;
SELECT (sync_import('b', '[{"id": 100}]')).created;
INSERT INTO b DEFAULT VALUES RETURNING id;
SELECT (sync_import('c', '[{"id": 5}]')).created, (sync_import('d', '[{"id": 3}]')).created;
SELECT nextval('shared_seq');
SELECT (sync_import('e', '[{"id": -50}]')).created;
SELECT nextval('down');
SELECT (sync_import('f', '[{"id": 1000.5}, {"id": 1e30}, {"id": "NaN"}]')).created;
SELECT nextval('shared_seq');

-- Beyond the end of the sequence: its last value.
CREATE TABLE g (id smallserial PRIMARY KEY);
ALTER SEQUENCE g_id_seq MAXVALUE 100;
SELECT (sync_import('g', '[{"id": 500}]')).created;
SELECT last_value FROM g_id_seq;

-- A sequence that is far enough stays; one that was never called counts from its start.
ALTER SEQUENCE a_id_seq RESTART 5000;
SELECT (sync_import('a', '[{"id": 60}]')).created;
INSERT INTO a DEFAULT VALUES RETURNING id;

-- No right to set it: a warning with what to run.
CREATE ROLE clerk;
GRANT SELECT, INSERT ON a TO clerk;
SET ROLE clerk;
SELECT (sync_import('a', '[{"id": 9000}]')).created;
RESET ROLE;
GRANT USAGE, SELECT ON SEQUENCE a_id_seq TO clerk;
REVOKE SELECT ON a FROM clerk;
SET ROLE clerk;
SELECT (sync_import('a', '[{"x": 1}]', 'append')).created;
RESET ROLE;
DROP TABLE a, b, c, d, e, f, g;
DROP SEQUENCE shared_seq, down;
DROP OWNED BY clerk;
DROP ROLE clerk;
