-- System control: enabling, the incoming mode and password.
SELECT sync_enabled();
SELECT enabled, active_sessions, incoming_mode, incoming_password_set, listen_url, version, worker_state
FROM sync_get_config();
SELECT sync_enable();
SELECT enabled, worker_state FROM sync_get_config();

-- It is a matter of the transaction.
BEGIN;
SELECT sync_disable();
SELECT sync_enabled();
ROLLBACK;
SELECT sync_enabled();

SELECT sync_get_incoming_mode();
SELECT sync_set_incoming_mode('deny_all');
SELECT sync_get_incoming_mode();
SELECT sync_set_incoming_mode('nonsense');
SELECT sync_set_incoming_mode(NULL);
SELECT sync_set_incoming_mode('require_approval');

-- Without a password any is right; NULL and '' clear it.
SELECT sync_incoming_password_set(), sync_get_incoming_password(), sync_validate_incoming_password('x');
SELECT sync_set_incoming_password('s3cret');
SELECT sync_incoming_password_set(), sync_get_incoming_password();
SELECT sync_validate_incoming_password('s3cret'), sync_validate_incoming_password('S3cret'), sync_validate_incoming_password('');
SELECT sync_validate_incoming_password(NULL);
SELECT sync_set_incoming_password('');
SELECT sync_incoming_password_set(), sync_get_incoming_password();
SELECT sync_set_incoming_password(NULL);

-- A password does not appear in the activity that others see, only the function's name.
CREATE FUNCTION activity() RETURNS text LANGUAGE sql AS
    $$ SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() $$;
SELECT activity() LIKE '%activity()%';
SELECT sync_set_incoming_password('s3cret'), activity();
SELECT sync_set_incoming_password(NULL);
DROP FUNCTION activity();

-- A copy of the database (here: its settings made elsewhere) stays quiet until it is enabled.
UPDATE sync_settings SET home = '1/2';
SELECT sync_enabled();
SELECT enabled, worker_state FROM sync_get_config();
SELECT sync_create_session('send');
SELECT sync_enable();
SELECT enabled, worker_state FROM sync_get_config();
