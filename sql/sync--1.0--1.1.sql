/* sync 1.1: permanent connections, history, jobs */

\echo Use "ALTER EXTENSION sync UPDATE" to load this file. \quit

-- The row of settings is written when the first of them is set. A dump brings its own, for which
-- there has to be room.
DELETE FROM @extschema@.sync_settings
    WHERE NOT enabled AND home IS NULL AND incoming_mode = 'require_approval' AND incoming_password IS NULL;

-- ------------------------------------------------------------------------------------------------
-- Permanent connections. The sender (the side that has the data) keeps the SHA-256 of the token, the
-- receiver the token itself, in sync_secrets. Roles are kept by name and tables as text, so that a
-- dump can be restored anywhere.
-- ------------------------------------------------------------------------------------------------

CREATE TABLE @extschema@.sync_connections (
    uuid uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    name text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('sender', 'receiver')),
    site_url text NOT NULL,
    run_as name NOT NULL,
    auth_token_hash text,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'active', 'suspended', 'revoked', 'expired')),
    approval_mode text NOT NULL DEFAULT 'auto_approve'
        CHECK (approval_mode IN ('auto_approve', 'require_approval', 'per_table')),
    allowed_tables text[] NOT NULL DEFAULT '{}',
    excluded_tables text[] NOT NULL DEFAULT '{}',
    auto_approve_tables text[] NOT NULL DEFAULT '{}',
    expires_at timestamptz,
    max_downloads bigint CHECK (max_downloads > 0),
    downloads_used bigint NOT NULL DEFAULT 0,
    max_records_total bigint CHECK (max_records_total > 0),
    records_downloaded bigint NOT NULL DEFAULT 0,
    max_records_per_request bigint NOT NULL DEFAULT 10000 CHECK (max_records_per_request > 0),
    rate_limit_requests_per_minute int NOT NULL DEFAULT 60 CHECK (rate_limit_requests_per_minute > 0),
    download_password_hash text,
    ip_whitelist text[] NOT NULL DEFAULT '{}',
    allowed_hours_start int CHECK (allowed_hours_start BETWEEN 0 AND 23),
    allowed_hours_end int CHECK (allowed_hours_end BETWEEN 0 AND 23),
    default_conflict_strategy text NOT NULL DEFAULT 'skip'
        CHECK (default_conflict_strategy IN ('skip', 'overwrite', 'merge', 'append')),
    auto_sync_enabled boolean NOT NULL DEFAULT false,
    auto_sync_tables text[] NOT NULL DEFAULT '{}',
    auto_sync_interval_minutes int NOT NULL DEFAULT 60 CHECK (auto_sync_interval_minutes > 0),
    approved_at timestamptz,
    approved_by name,
    suspended_at timestamptz,
    suspended_by name,
    suspended_reason text,
    revoked_at timestamptz,
    revoked_by name,
    revoked_reason text,
    created_by name,
    last_connected_at timestamptz,
    last_transfer_at timestamptz,
    total_transfers bigint NOT NULL DEFAULT 0,
    total_records_transferred bigint NOT NULL DEFAULT 0,
    total_bytes_transferred bigint NOT NULL DEFAULT 0,
    metadata jsonb NOT NULL DEFAULT '{}',
    inserted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    -- Of a receiver: when its next automatic sync begins, and how many have failed in a row.
    auto_sync_due_at timestamptz,
    auto_sync_failures int NOT NULL DEFAULT 0,
    UNIQUE (site_url, direction)
);
COMMENT ON TABLE @extschema@.sync_connections IS 'Permanent connections to other sites; changed by functions of sync';
CREATE UNIQUE INDEX sync_connections_name ON @extschema@.sync_connections (name);
CREATE INDEX sync_connections_token ON @extschema@.sync_connections (auth_token_hash);

CREATE TABLE @extschema@.sync_secrets (
    connection_uuid uuid PRIMARY KEY REFERENCES @extschema@.sync_connections ON DELETE CASCADE,
    token text NOT NULL,
    password text
);
COMMENT ON TABLE @extschema@.sync_secrets IS 'Tokens and download passwords of receiver connections; for the owner of sync only';

-- What a site could not be told yet, because it did not answer. Outlives the connection: a deleted
-- one has to be deleted there, too.
CREATE TABLE @extschema@.sync_notices (
    uuid uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    connection_uuid uuid,
    direction text NOT NULL CHECK (direction IN ('sender', 'receiver')),
    site_url text NOT NULL,
    own_url text,
    auth_token_hash text NOT NULL,
    action text NOT NULL CHECK (action IN ('active', 'suspended', 'revoked', 'delete')),
    run_as name NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    last_error text,
    inserted_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE @extschema@.sync_notices IS 'Changes of connections that the site at the other end is still to be told';

-- ------------------------------------------------------------------------------------------------
-- History, and the jobs among it.
-- ------------------------------------------------------------------------------------------------

CREATE TABLE @extschema@.sync_transfers (
    uuid uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    direction text NOT NULL CHECK (direction IN ('send', 'receive')),
    connection_uuid uuid REFERENCES @extschema@.sync_connections ON DELETE SET NULL,
    session_code text,
    remote_site_url text,
    table_name text NOT NULL,
    records_requested bigint NOT NULL DEFAULT 0,
    records_transferred bigint NOT NULL DEFAULT 0,
    records_created bigint NOT NULL DEFAULT 0,
    records_updated bigint NOT NULL DEFAULT 0,
    records_skipped bigint NOT NULL DEFAULT 0,
    records_deleted bigint NOT NULL DEFAULT 0,
    records_failed bigint NOT NULL DEFAULT 0,
    bytes_transferred bigint NOT NULL DEFAULT 0,
    conflict_strategy text,
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'pending_approval', 'approved', 'denied', 'in_progress', 'completed',
                          'failed', 'cancelled', 'expired')),
    requires_approval boolean NOT NULL DEFAULT false,
    approved_at timestamptz,
    approved_by name,
    denied_at timestamptz,
    denied_by name,
    denial_reason text,
    approval_expires_at timestamptz,
    requester_ip inet,
    requester_user_agent text,
    error_message text,
    started_at timestamptz,
    completed_at timestamptz,
    initiated_by name,
    metadata jsonb NOT NULL DEFAULT '{}',
    inserted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    -- Of a job: what it is to do, and how far it has come. Null for all else, but that the worker is
    -- also that of an approved transfer which is under way.
    job jsonb,
    run_as name,
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    worker_pid int,
    worker_start timestamptz
);
COMMENT ON TABLE @extschema@.sync_transfers IS 'History of transfers, and jobs; changed by functions of sync';
CREATE INDEX sync_transfers_connection ON @extschema@.sync_transfers (connection_uuid);
CREATE INDEX sync_transfers_inserted ON @extschema@.sync_transfers (inserted_at);
CREATE INDEX sync_transfers_due ON @extschema@.sync_transfers (next_attempt_at)
    WHERE job IS NOT NULL AND status IN ('pending', 'in_progress');

REVOKE ALL ON @extschema@.sync_connections, @extschema@.sync_secrets, @extschema@.sync_notices,
    @extschema@.sync_transfers FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sync_connections', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sync_secrets', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sync_notices', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sync_transfers', '');

-- ------------------------------------------------------------------------------------------------
-- Views
-- ------------------------------------------------------------------------------------------------

CREATE VIEW @extschema@.sync_connection_list AS
    SELECT uuid, name, direction, site_url, run_as, status, approval_mode, allowed_tables, excluded_tables,
        auto_approve_tables, expires_at,
        coalesce(status = 'active' AND expires_at > pg_catalog.now()
            AND expires_at <= pg_catalog.now() + interval '24 hours', false) AS expires_soon,
        max_downloads, downloads_used, max_downloads - least(max_downloads, downloads_used) AS remaining_downloads,
        max_records_total, records_downloaded,
        max_records_total - least(max_records_total, records_downloaded) AS remaining_records,
        max_records_per_request, rate_limit_requests_per_minute,
        download_password_hash IS NOT NULL OR EXISTS (SELECT FROM @extschema@.sync_secrets s
            WHERE s.connection_uuid = c.uuid AND s.password IS NOT NULL) AS download_password_set,
        ip_whitelist, allowed_hours_start, allowed_hours_end, default_conflict_strategy, auto_sync_enabled,
        auto_sync_tables, auto_sync_interval_minutes, approved_at, approved_by, suspended_at, suspended_by,
        suspended_reason, revoked_at, revoked_by, revoked_reason, created_by, last_connected_at, last_transfer_at,
        total_transfers, total_records_transferred, total_bytes_transferred, metadata, inserted_at, updated_at
    FROM @extschema@.sync_connections c;
COMMENT ON VIEW @extschema@.sync_connection_list IS 'Permanent connections, without what is secret';

CREATE VIEW @extschema@.sync_transfer_list AS
    SELECT t.uuid, t.direction, t.connection_uuid, c.name AS connection, t.session_code, t.remote_site_url, t.table_name,
        t.records_requested, t.records_transferred, t.records_created, t.records_updated, t.records_skipped,
        t.records_deleted, t.records_failed, t.bytes_transferred, t.conflict_strategy, t.status,
        CASE WHEN t.records_transferred > 0
            THEN (t.records_created + t.records_updated)::float8 / t.records_transferred ELSE 0 END AS success_rate,
        t.completed_at - t.started_at AS duration, t.requires_approval, t.approved_at, t.approved_by, t.denied_at,
        t.denied_by, t.denial_reason, t.approval_expires_at, t.requester_ip, t.requester_user_agent, t.error_message,
        t.started_at, t.completed_at, t.initiated_by, t.metadata, t.inserted_at, t.job, t.run_as, t.attempts,
        t.next_attempt_at
    FROM @extschema@.sync_transfers t LEFT JOIN @extschema@.sync_connections c ON c.uuid = t.connection_uuid;
COMMENT ON VIEW @extschema@.sync_transfer_list IS 'History of transfers, and jobs';

CREATE VIEW @extschema@.sync_privileges AS
    SELECT p.oid::regprocedure AS function, l.class
    FROM (VALUES
        ('sync_enabled', 'public'), ('sync_get_config', 'public'), ('sync_get_incoming_mode', 'public'),
        ('sync_incoming_password_set', 'public'), ('sync_list_tables', 'public'), ('sync_get_schema', 'public'),
        ('sync_get_count', 'public'), ('sync_table_exists', 'public'), ('sync_export', 'public'),
        ('sync_import', 'public'), ('sync_create_table', 'public'), ('sync_checksum', 'public'),
        ('sync_connected', 'public'), ('sync_disconnect', 'public'), ('sync_clients', 'public'),
        ('sync_progress', 'public'),
        ('sync_create_session', 'share'), ('sync_get_session', 'share'), ('sync_validate_code', 'share'),
        ('sync_update_session', 'share'), ('sync_delete_session', 'share'), ('sync_sessions', 'share'),
        ('sync_peers', 'share'),
        ('sync_connect', 'connect'), ('sync_remote_list_tables', 'connect'), ('sync_remote_get_schema', 'connect'),
        ('sync_remote_get_count', 'connect'), ('sync_remote_fetch', 'connect'), ('sync_transfer', 'connect'),
        ('sync_transfer_all', 'connect'), ('sync_pull', 'connect'), ('sync_push', 'connect'),
        ('sync_push_all', 'connect'), ('sync_diff', 'connect'), ('sync_compare_schema', 'connect'),
        ('sync_transfer_async', 'connect'), ('sync_cancel_transfer', 'connect'),
        ('sync_enable', 'administer'), ('sync_disable', 'administer'), ('sync_set_incoming_mode', 'administer'),
        ('sync_get_incoming_password', 'administer'), ('sync_set_incoming_password', 'administer'),
        ('sync_validate_incoming_password', 'administer'), ('sync_terminate_peer', 'administer'),
        ('sync_create_connection', 'administer'), ('sync_update_connection', 'administer'),
        ('sync_approve_connection', 'administer'), ('sync_suspend_connection', 'administer'),
        ('sync_reactivate_connection', 'administer'), ('sync_revoke_connection', 'administer'),
        ('sync_delete_connection', 'administer'), ('sync_regenerate_token', 'administer'),
        ('sync_verify_connection', 'administer'), ('sync_test_connection', 'administer'),
        ('sync_approve_transfer', 'administer'), ('sync_deny_transfer', 'administer'),
        ('sync_connection_stats', 'administer'), ('sync_table_stats', 'administer'),
        ('sync_purge_transfers', 'administer')
    ) AS l(name, class)
    JOIN pg_catalog.pg_proc p ON p.proname = l.name
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
        AND e.extname = 'sync';
COMMENT ON VIEW @extschema@.sync_privileges IS 'For whom each function is: what to GRANT together';
GRANT SELECT ON @extschema@.sync_privileges TO PUBLIC;

-- ------------------------------------------------------------------------------------------------
-- Administering connections. What has no result of its own returns the connection.
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_create_connection(name text, direction text, site_url text, settings jsonb DEFAULT '{}',
        token text DEFAULT NULL, run_as name DEFAULT current_user)
    RETURNS TABLE(uuid uuid, token text, status text, remote_status text, remote_message text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_create_connection';
COMMENT ON FUNCTION @extschema@.sync_create_connection(text, text, text, jsonb, text, name) IS 'Makes a permanent connection: direction sender serves tables of this database to the site, receiver pulls from it';

CREATE FUNCTION @extschema@.sync_update_connection(connection text, settings jsonb) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_update_connection';
COMMENT ON FUNCTION @extschema@.sync_update_connection(text, jsonb) IS 'Changes settings of a connection, given by name or uuid';

CREATE FUNCTION @extschema@.sync_approve_connection(connection text) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_approve_connection';
COMMENT ON FUNCTION @extschema@.sync_approve_connection(text) IS 'Lets a pending connection be used';

CREATE FUNCTION @extschema@.sync_suspend_connection(connection text, reason text DEFAULT NULL) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_suspend_connection';
COMMENT ON FUNCTION @extschema@.sync_suspend_connection(text, text) IS 'Stops a connection until it is reactivated, and at COMMIT the peers that use it';

CREATE FUNCTION @extschema@.sync_reactivate_connection(connection text) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_reactivate_connection';
COMMENT ON FUNCTION @extschema@.sync_reactivate_connection(text) IS 'Lets a connection be used again that was suspended or has expired';

CREATE FUNCTION @extschema@.sync_revoke_connection(connection text, reason text DEFAULT NULL) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_revoke_connection';
COMMENT ON FUNCTION @extschema@.sync_revoke_connection(text, text) IS 'Ends a connection for good, and at COMMIT the peers that use it';

CREATE FUNCTION @extschema@.sync_delete_connection(connection text) RETURNS @extschema@.sync_connection_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_delete_connection';
COMMENT ON FUNCTION @extschema@.sync_delete_connection(text) IS 'Deletes a connection, here and at the other site; its history stays';

CREATE FUNCTION @extschema@.sync_regenerate_token(connection text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_regenerate_token';
COMMENT ON FUNCTION @extschema@.sync_regenerate_token(text) IS 'Gives a sender connection a new token, which the other site has to be told; the old one is void';

CREATE FUNCTION @extschema@.sync_verify_connection(connection text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_verify_connection';
COMMENT ON FUNCTION @extschema@.sync_verify_connection(text) IS 'Status of the connection at the other site: active, pending, suspended, revoked, expired, offline, not_found or error';

CREATE FUNCTION @extschema@.sync_test_connection(connection text) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_test_connection';
COMMENT ON FUNCTION @extschema@.sync_test_connection(text) IS 'Whether the other site answers, and what';

-- ------------------------------------------------------------------------------------------------
-- Administering the history
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_approve_transfer(transfer uuid) RETURNS @extschema@.sync_transfer_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_approve_transfer';
COMMENT ON FUNCTION @extschema@.sync_approve_transfer(uuid) IS 'Lets the peer that waits for it have the table';

CREATE FUNCTION @extschema@.sync_deny_transfer(transfer uuid, reason text DEFAULT NULL) RETURNS @extschema@.sync_transfer_list
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_deny_transfer';
COMMENT ON FUNCTION @extschema@.sync_deny_transfer(uuid, text) IS 'Refuses a transfer that waits for approval';

CREATE FUNCTION @extschema@.sync_connection_stats(connection text, OUT total_transfers bigint, OUT completed bigint,
        OUT failed bigint, OUT total_records bigint, OUT total_bytes bigint)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_connection_stats';
COMMENT ON FUNCTION @extschema@.sync_connection_stats(text) IS 'Transfers of a connection in numbers';

CREATE FUNCTION @extschema@.sync_table_stats(direction text DEFAULT NULL, connection text DEFAULT NULL,
        since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL)
    RETURNS TABLE(table_name text, count bigint, records bigint, bytes bigint)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_table_stats';
COMMENT ON FUNCTION @extschema@.sync_table_stats(text, text, timestamptz, timestamptz) IS 'Completed transfers in numbers, by table';

CREATE FUNCTION @extschema@.sync_purge_transfers(older_than interval) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_purge_transfers';
COMMENT ON FUNCTION @extschema@.sync_purge_transfers(interval) IS 'Deletes transfers from the history that ended longer ago; returns how many';

REVOKE ALL ON FUNCTION
    @extschema@.sync_create_connection(text, text, text, jsonb, text, name),
    @extschema@.sync_update_connection(text, jsonb),
    @extschema@.sync_approve_connection(text),
    @extschema@.sync_suspend_connection(text, text),
    @extschema@.sync_reactivate_connection(text),
    @extschema@.sync_revoke_connection(text, text),
    @extschema@.sync_delete_connection(text),
    @extschema@.sync_regenerate_token(text),
    @extschema@.sync_verify_connection(text),
    @extschema@.sync_test_connection(text),
    @extschema@.sync_approve_transfer(uuid),
    @extschema@.sync_deny_transfer(uuid, text),
    @extschema@.sync_connection_stats(text),
    @extschema@.sync_table_stats(text, text, timestamptz, timestamptz),
    @extschema@.sync_purge_transfers(interval)
    FROM PUBLIC;

-- ------------------------------------------------------------------------------------------------
-- Jobs
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_transfer_async(connection text, tables text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL,
        match text DEFAULT 'key', retries int DEFAULT 0, parents boolean DEFAULT false)
    RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_transfer_async';
COMMENT ON FUNCTION @extschema@.sync_transfer_async(text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) IS 'Has a worker transfer tables over a receiver connection once this transaction has committed';

CREATE FUNCTION @extschema@.sync_cancel_transfer(transfer uuid) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_cancel_transfer';
COMMENT ON FUNCTION @extschema@.sync_cancel_transfer(uuid) IS 'Cancels a job that waits or runs, or a transfer that waits for approval';

REVOKE ALL ON FUNCTION @extschema@.sync_transfer_async(text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_cancel_transfer(uuid) FROM PUBLIC;

-- ------------------------------------------------------------------------------------------------
-- Functions of 1.0 that take more arguments now. None can be added to a function that is there, so
-- they are made anew.
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_transfer(client int, table_name text, local_table text DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL,
        match text DEFAULT 'key', retries int DEFAULT 0)
    RETURNS @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_transfer';
COMMENT ON FUNCTION @extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int) IS 'Transfers a table of the peer into a table of this database';

CREATE FUNCTION @extschema@.sync_transfer_all(client int, tables text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
        strategies jsonb DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL,
        match text DEFAULT 'key', retries int DEFAULT 0, parents boolean DEFAULT false)
    RETURNS SETOF @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_transfer_all';
COMMENT ON FUNCTION @extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) IS 'Transfers tables of the peer, in the order of their foreign keys';

CREATE FUNCTION @extschema@.sync_pull(url text, code text DEFAULT NULL, token text DEFAULT NULL,
        tables text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL,
        match text DEFAULT 'key', retries int DEFAULT 0, parents boolean DEFAULT false)
    RETURNS SETOF @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_pull';
COMMENT ON FUNCTION @extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) IS 'Connects, transfers and disconnects in one call';

REVOKE ALL ON FUNCTION @extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint, text, int, boolean) FROM PUBLIC;

-- What was granted on the old ones stays granted, by the same grantors. GRANT makes the dependencies
-- on roles; but the superuser who runs this grants as the owner, and what a script grants is taken
-- for the extension's own, which dumps leave out. So both lists are then set to what they should be.
DO $upgrade$
DECLARE
    made record;
    grantee text;
BEGIN
    FOR made IN
        SELECT new.oid, new.oid::regprocedure AS function, new.proacl AS own_acl, old.proacl AS acl,
            old.proowner::regrole AS owner,
            ARRAY[pg_catalog.makeaclitem(old.proowner, old.proowner, 'EXECUTE', false)] AS first_acl
        FROM pg_catalog.pg_proc old
            JOIN pg_catalog.pg_proc new ON new.pronamespace = old.pronamespace AND new.proname = old.proname
                AND new.prosrc = old.prosrc AND new.pronargs > old.pronargs
        WHERE old.oid IN (
            '@extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint)'::regprocedure,
            '@extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint)'::regprocedure,
            '@extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint)'::regprocedure)
    LOOP
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %s', made.function, made.owner);
        -- By ALTER DEFAULT PRIVILEGES it may have begun with rights that the old one did not have.
        FOR grantee IN SELECT g.grantee::regrole::text FROM pg_catalog.aclexplode(made.own_acl) g LOOP
            EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', made.function, grantee);
        END LOOP;
        FOR grantee IN
            SELECT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END
            FROM pg_catalog.aclexplode(made.acl) g
        LOOP
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %s', made.function, grantee);
        END LOOP;
        UPDATE pg_catalog.pg_proc SET proacl = made.acl WHERE oid = made.oid;
        UPDATE pg_catalog.pg_init_privs SET initprivs = made.first_acl
            WHERE classoid = 'pg_catalog.pg_proc'::regclass AND objoid = made.oid;
    END LOOP;
END
$upgrade$;

DROP FUNCTION @extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint),
    @extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint),
    @extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint);
