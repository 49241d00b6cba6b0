-- Which functions everyone may execute, and what they then may do.
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = 'sync' AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1;

CREATE ROLE visitor;
CREATE TABLE open (id int PRIMARY KEY, v text);
CREATE TABLE closed (id int PRIMARY KEY, v text);
CREATE TABLE partly (id int PRIMARY KEY, v text, secret text);
INSERT INTO open VALUES (1, 'x');
INSERT INTO closed VALUES (1, 'x');
INSERT INTO partly VALUES (1, 'x', 's');
GRANT SELECT ON open TO visitor;
GRANT SELECT (id, v) ON partly TO visitor;
SET ROLE visitor;
SELECT name FROM sync_list_tables();
SELECT * FROM sync_export('open');
SELECT sync_export('closed');
SELECT sync_export('partly');
SELECT sync_get_schema('closed');
SELECT sync_get_count('closed');
SELECT sync_checksum('partly');
SELECT sync_import('open', '[{"id": 2}]');
SELECT sync_enabled(), sync_get_incoming_mode(), sync_incoming_password_set();
SELECT enabled IS NOT NULL FROM sync_get_config();
SELECT sync_enable();
SELECT sync_get_incoming_password();
SELECT sync_create_session('send');
SELECT sync_connect('http://localhost:1', 'ABCDEFGH');
SELECT sync_transfer(1, 'x');
SELECT count(*) FROM sync_clients();
SELECT count(*) FROM sync_progress();
SELECT sync_connected(1), sync_connected(0);
SELECT sync_disconnect(1);
TABLE sync_settings;
RESET ROLE;

-- Row level security: what the policies show is what is exported; a count of it is no checksum.
ALTER TABLE open ENABLE ROW LEVEL SECURITY;
INSERT INTO open VALUES (2, 'visitor');
CREATE POLICY mine ON open FOR SELECT USING (v = current_user);
SET ROLE visitor;
SELECT * FROM sync_export('open');
SELECT row_count FROM sync_list_tables() WHERE name = 'open';
SELECT sync_get_count('open');
SELECT sync_checksum('open');
RESET ROLE;

-- A schema that may not be used hides its tables.
CREATE SCHEMA hidden;
CREATE TABLE hidden.t (id int);
GRANT SELECT ON hidden.t TO visitor;
SET ROLE visitor;
SELECT count(*) FROM sync_list_tables('hidden');
RESET ROLE;

DROP TABLE open, closed, partly;
DROP SCHEMA hidden CASCADE;
DROP OWNED BY visitor;
DROP ROLE visitor;
