-- Sessions: making them, looking at them, ending them.
CREATE TABLE shared (id int PRIMARY KEY);
CREATE ROLE anna;
CREATE ROLE berta;
GRANT SELECT ON shared TO anna;
GRANT EXECUTE ON FUNCTION sync_create_session, sync_get_session, sync_validate_code, sync_update_session, sync_delete_session, sync_sessions, sync_peers TO anna, berta;

SELECT direction, status, owner = session_user AS mine, owner_pid = pg_backend_pid() AS here, tables, created_at <= now() + interval '1 min' AS now, connected_at, expires_at, metadata, code ~ '^[2-9A-HJKMNP-Z]{8}$' AS well_formed
FROM sync_create_session('send');
SET ROLE anna;
SELECT code FROM sync_create_session('receive', ttl => '1 hour') \gset
SELECT direction, status, owner, owner_pid, expires_at - created_at AS ttl FROM sync_get_session(:'code');
SELECT code AS tabled FROM sync_create_session('send', tables => '{shared}') \gset
SELECT tables FROM sync_get_session(:'tabled');
SELECT count(*) FROM sync_sessions();

-- Another's code is not found, as an unknown one is not; a superuser and members of the role see it.
SET ROLE berta;
SELECT count(*) FROM sync_sessions();
SELECT sync_get_session(:'code');
SELECT sync_get_session('ABCDEFGH');
SELECT sync_delete_session(:'code');
SELECT sync_validate_code(:'code');
SELECT sync_update_session(:'code', '{"status": "failed"}');
RESET ROLE;
SELECT status FROM sync_get_session(:'code');
GRANT anna TO berta;
SET ROLE berta;
SELECT status FROM sync_get_session(:'code');
RESET ROLE;
REVOKE anna FROM berta;

-- Codes are spent once.
SET ROLE anna;
SELECT status, connected_at IS NOT NULL AS connected FROM sync_validate_code(:'code');
SELECT sync_validate_code(:'code');
SELECT sync_validate_code('ABCDEFGH');
SELECT sync_validate_code(lower(:'code'));
SELECT sync_validate_code(NULL);

-- Moves from state to state.
SELECT sync_update_session(:'code', '{"status": "pending"}');
SELECT status FROM sync_update_session(:'code', '{"status": "completed"}');
SELECT sync_update_session(:'code', '{"status": "failed"}');
SELECT sync_update_session(:'tabled', '{"status": "completed"}');
SELECT status FROM sync_update_session(:'tabled', '{"status": "failed"}');
SELECT sync_validate_code(:'tabled');

-- Metadata is merged.
SELECT metadata FROM sync_update_session(:'code', '{"metadata": {"a": 1, "b": 2}, "sender_info": {"who": "me"}}');
SELECT metadata FROM sync_update_session(:'code', '{"metadata": {"b": 3}, "sender_info": {"where": "here"}, "receiver_info": {"é": "😀"}}');
SELECT sync_update_session(:'code', '{"metadata": 5}');
SELECT sync_update_session(:'code', '{"direction": "send"}');
SELECT sync_update_session(:'code', '[]');
SELECT sync_update_session(:'code', jsonb_build_object('metadata', jsonb_build_object('x', repeat('x', 5000))));
SELECT metadata ? 'x' AS grown FROM sync_get_session(:'code');
SELECT sync_delete_session(:'code');
SELECT sync_get_session(:'code');
SELECT sync_delete_session(:'tabled');
RESET ROLE;

-- What cannot be shared, cannot be asked for.
SELECT sync_create_session('both');
SELECT sync_create_session(NULL);
SELECT sync_create_session('send', ttl => '0.5 s');
SELECT sync_create_session('send', ttl => '31 days');
SELECT sync_create_session('send', ttl => '-1 hour');
SELECT sync_create_session('send', options => '{"nonsense": 1}');
SELECT sync_create_session('send', options => '[]');
SELECT sync_create_session('send', options => '{"owner_pid": "x"}');
SELECT sync_create_session('send', options => '{"owner_pid": 0}');
SELECT sync_create_session('send', options => '{"owner_pid": 99999999999}');
SELECT sync_create_session('send', ttl => '1 h', options => '{"owner_pid": 1}');

-- What the peer of a receive session may do is chosen, and looked at, when it is made.
SELECT direction, status FROM sync_create_session('receive', options => '{"strategies": ["skip", "append"], "create_tables": false, "max_deletes": 0, "triggers": "fire", "max_rows": null}');
SELECT direction FROM sync_create_session('receive', options => '{"strategies": ["mirror", "overwrite", "merge"], "create_tables": true, "max_deletes": null, "triggers": "skip", "max_rows": 5}');
SELECT direction, owner_pid = pg_backend_pid() AS here FROM sync_create_session('receive', options => jsonb_build_object('max_rows', 0, 'owner_pid', pg_backend_pid()));
SELECT sync_create_session('send', options => '{"strategies": ["skip"]}');
SELECT sync_create_session('send', options => '{"max_rows": 5}');
SELECT sync_create_session('receive', options => '{"nonsense": 1}');
SELECT sync_create_session('receive', options => '{"strategies": []}');
SELECT sync_create_session('receive', options => '{"strategies": "skip"}');
SELECT sync_create_session('receive', options => '{"strategies": ["skip", "nonsense"]}');
SELECT sync_create_session('receive', options => '{"create_tables": "yes"}');
SELECT sync_create_session('receive', options => '{"triggers": "never"}');
SELECT sync_create_session('receive', options => '{"max_deletes": -1}');
SELECT sync_create_session('receive', options => '{"max_rows": 1.5}');

SELECT sync_create_session('send', tables => '{pg_class}');
SELECT sync_create_session('send', tables => '{NULL}');
CREATE VIEW a_view AS SELECT 1;
SELECT sync_create_session('send', tables => '{a_view}');
DROP VIEW a_view;
SET ROLE berta;
SELECT sync_create_session('send', tables => '{shared}');
RESET ROLE;
SET client_min_messages = error;
SELECT count(sync_create_session('send', tables => ARRAY(SELECT 'shared'::regclass FROM generate_series(1, 300))));
RESET client_min_messages;
SELECT cardinality(tables) FROM sync_sessions() WHERE tables IS NOT NULL;

-- A session is the transaction's: gone with a rollback, also of a subtransaction; deleting and updating are not.
SELECT count(*) AS before FROM sync_sessions() \gset
SET ROLE anna;
BEGIN;
SELECT count(sync_create_session('send'));
SAVEPOINT one;
SELECT count(sync_create_session('send'));
SAVEPOINT two;
SELECT count(sync_create_session('send'));
RELEASE two;
SELECT count(*) FROM sync_sessions();
ROLLBACK TO one;
SELECT count(*) FROM sync_sessions();
COMMIT;
SELECT count(*) FROM sync_sessions();
BEGIN;
SELECT count(sync_create_session('send'));
ROLLBACK;
SELECT count(*) FROM sync_sessions();
BEGIN;
SELECT sync_delete_session(code) FROM sync_sessions();
ROLLBACK;
SELECT count(*) FROM sync_sessions();
DO $$ BEGIN
    BEGIN PERFORM sync_create_session('send'); RAISE EXCEPTION 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
END $$;
SELECT count(*) FROM sync_sessions();
BEGIN;
SELECT count(sync_create_session('send'));
PREPARE TRANSACTION 'with a session';
BEGIN READ ONLY;
SELECT count(sync_create_session('send'));
COMMIT;
SELECT count(*) FROM sync_sessions();
RESET ROLE;

-- DISCARD ALL deletes the backend's sessions, but not those that live by their ttl.
SET client_min_messages = error;
SELECT code AS lasting FROM sync_create_session('send', ttl => '1 min') \gset
DISCARD ALL;
SELECT count(*) FROM sync_sessions();
SELECT sync_delete_session(:'lasting');

-- Disabled: none can be made.
SELECT sync_disable();
SELECT sync_create_session('send');
SELECT sync_enable();

-- The table of sessions is of a fixed size.
SET client_min_messages = error;
SELECT count(sync_create_session('send')) FROM generate_series(1, current_setting('sync.max_sessions')::int + 1);
SELECT count(*) FROM sync_sessions();
SELECT active_sessions FROM sync_get_config();
-- One that has ended makes room for a new one.
SELECT count(sync_create_session('send')) FROM generate_series(1, current_setting('sync.max_sessions')::int - (SELECT active_sessions FROM sync_get_config()));
SELECT sync_create_session('send');
SELECT code AS ended FROM sync_sessions() WHERE owner_pid = pg_backend_pid() ORDER BY created_at LIMIT 1 \gset
SELECT (sync_update_session(:'ended', '{"status": "failed"}')).status;
SELECT (sync_create_session('send')).status;
SELECT sync_get_session(:'ended');
SELECT sync_create_session('send');
SELECT count(sync_delete_session(code)) FROM sync_sessions() WHERE owner_pid = pg_backend_pid();

-- Nobody is connected.
SELECT count(*) FROM sync_peers();
SELECT sync_terminate_peer(1), sync_terminate_peer(0), sync_terminate_peer(-1);
SELECT sync_terminate_peer(NULL);

DROP TABLE shared;
DROP OWNED BY anna, berta;
DROP ROLE anna, berta;
