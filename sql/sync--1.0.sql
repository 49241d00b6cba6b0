/* sync 1.0 */

\echo Use "CREATE EXTENSION sync" to load this file. \quit

-- ------------------------------------------------------------------------------------------------
-- Types
-- ------------------------------------------------------------------------------------------------

CREATE TYPE @extschema@.sync_session AS (
    code text,
    direction text,
    status text,
    owner name,
    owner_pid int,
    tables text[],
    created_at timestamptz,
    connected_at timestamptz,
    expires_at timestamptz,
    metadata jsonb
);
COMMENT ON TYPE @extschema@.sync_session IS 'A session: a code under which a peer may come';

CREATE TYPE @extschema@.sync_result AS (
    table_name text,
    created bigint,
    updated bigint,
    skipped bigint,
    deleted bigint,
    errors jsonb,
    error_count bigint,
    mode text,
    dry_run boolean,
    verified boolean,
    bytes bigint,
    duration interval
);
COMMENT ON TYPE @extschema@.sync_result IS 'What became of the rows of one table';

-- ------------------------------------------------------------------------------------------------
-- Settings of this database. "home" tells the cluster and the database in which they were made, so
-- that a copy of the database does not share anything by itself.
-- ------------------------------------------------------------------------------------------------

CREATE TABLE @extschema@.sync_settings (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    enabled boolean NOT NULL DEFAULT false,
    home text,
    incoming_mode text NOT NULL DEFAULT 'require_approval'
        CHECK (incoming_mode IN ('auto_accept', 'require_approval', 'require_password', 'deny_all')),
    incoming_password text
);
COMMENT ON TABLE @extschema@.sync_settings IS 'Settings of sync in this database; changed by its functions';
REVOKE ALL ON @extschema@.sync_settings FROM PUBLIC;
INSERT INTO @extschema@.sync_settings DEFAULT VALUES;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.sync_settings', '');

-- ------------------------------------------------------------------------------------------------
-- System control
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_enabled() RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_enabled';
COMMENT ON FUNCTION @extschema@.sync_enabled() IS 'Whether this database shares its tables';

CREATE FUNCTION @extschema@.sync_enable() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_enable';
COMMENT ON FUNCTION @extschema@.sync_enable() IS 'Lets sessions be made in this database';

CREATE FUNCTION @extschema@.sync_disable() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_disable';
COMMENT ON FUNCTION @extschema@.sync_disable() IS 'Ends sharing in this database, and at COMMIT the peers that are connected';

CREATE FUNCTION @extschema@.sync_get_config(OUT enabled boolean, OUT active_sessions int,
        OUT incoming_mode text, OUT incoming_password_set boolean, OUT listen_url text,
        OUT version text, OUT worker_state text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_get_config';
COMMENT ON FUNCTION @extschema@.sync_get_config() IS 'State of sync in this database';

CREATE FUNCTION @extschema@.sync_get_incoming_mode() RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_get_incoming_mode';
COMMENT ON FUNCTION @extschema@.sync_get_incoming_mode() IS 'How connections that peers register are treated';

CREATE FUNCTION @extschema@.sync_set_incoming_mode(mode text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_set_incoming_mode';
COMMENT ON FUNCTION @extschema@.sync_set_incoming_mode(text) IS 'Sets how connections that peers register are treated: auto_accept, require_approval, require_password, deny_all';

CREATE FUNCTION @extschema@.sync_get_incoming_password() RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_get_incoming_password';
COMMENT ON FUNCTION @extschema@.sync_get_incoming_password() IS 'The password that peers need to register a connection';

CREATE FUNCTION @extschema@.sync_set_incoming_password(password text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_set_incoming_password';
COMMENT ON FUNCTION @extschema@.sync_set_incoming_password(text) IS 'Sets the password that peers need to register a connection; null or empty: none';

CREATE FUNCTION @extschema@.sync_incoming_password_set() RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_incoming_password_set';
COMMENT ON FUNCTION @extschema@.sync_incoming_password_set() IS 'Whether an incoming password is set';

CREATE FUNCTION @extschema@.sync_validate_incoming_password(password text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_validate_incoming_password';
COMMENT ON FUNCTION @extschema@.sync_validate_incoming_password(text) IS 'Whether this is the incoming password; any is where none is set';

-- ------------------------------------------------------------------------------------------------
-- Sessions
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_create_session(direction text, tables regclass[] DEFAULT NULL,
        ttl interval DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS @extschema@.sync_session
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_create_session';
COMMENT ON FUNCTION @extschema@.sync_create_session(text, regclass[], interval, jsonb) IS 'Makes a code under which one peer may come, with the rights of the current role';

CREATE FUNCTION @extschema@.sync_get_session(code text) RETURNS @extschema@.sync_session
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_get_session';
COMMENT ON FUNCTION @extschema@.sync_get_session(text) IS 'A session of one''s own';

CREATE FUNCTION @extschema@.sync_validate_code(code text) RETURNS @extschema@.sync_session
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_validate_code';
COMMENT ON FUNCTION @extschema@.sync_validate_code(text) IS 'Spends a code: its session becomes connected';

CREATE FUNCTION @extschema@.sync_update_session(code text, updates jsonb) RETURNS @extschema@.sync_session
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_update_session';
COMMENT ON FUNCTION @extschema@.sync_update_session(text, jsonb) IS 'Changes the status of a session, or adds to its metadata, sender_info or receiver_info';

CREATE FUNCTION @extschema@.sync_delete_session(code text) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_delete_session';
COMMENT ON FUNCTION @extschema@.sync_delete_session(text) IS 'Deletes a session; its peer is disconnected';

CREATE FUNCTION @extschema@.sync_sessions() RETURNS SETOF @extschema@.sync_session
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_sessions';
COMMENT ON FUNCTION @extschema@.sync_sessions() IS 'One''s own sessions, newest first';

-- ------------------------------------------------------------------------------------------------
-- Tables of this database
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_list_tables(schema name DEFAULT 'public', exact_counts boolean DEFAULT true,
        include_phoenix_kit boolean DEFAULT true)
    RETURNS TABLE(schema name, name name, row_count bigint, size_bytes bigint, depends_on text[])
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_list_tables';
COMMENT ON FUNCTION @extschema@.sync_list_tables(name, boolean, boolean) IS 'Tables that can be shared and that the current role may read';

CREATE FUNCTION @extschema@.sync_get_schema(table_name regclass) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_get_schema';
COMMENT ON FUNCTION @extschema@.sync_get_schema(regclass) IS 'Definition of a table';

CREATE FUNCTION @extschema@.sync_get_count(table_name regclass) RETURNS bigint
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_get_count';
COMMENT ON FUNCTION @extschema@.sync_get_count(regclass) IS 'Number of rows of a table';

CREATE FUNCTION @extschema@.sync_table_exists(table_name text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_table_exists';
COMMENT ON FUNCTION @extschema@.sync_table_exists(text) IS 'Whether there is a table of that name';

CREATE FUNCTION @extschema@.sync_export(table_name regclass, row_limit bigint DEFAULT 100,
        row_offset bigint DEFAULT 0, after jsonb DEFAULT NULL) RETURNS SETOF jsonb
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_export';
COMMENT ON FUNCTION @extschema@.sync_export(regclass, bigint, bigint, jsonb) IS 'Rows of a table as JSON, in the order of its primary key';

CREATE FUNCTION @extschema@.sync_import(table_name regclass, records jsonb, strategy text DEFAULT 'skip',
        max_errors bigint DEFAULT NULL) RETURNS @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_import';
COMMENT ON FUNCTION @extschema@.sync_import(regclass, jsonb, text, bigint) IS 'Puts JSON records into a table';

CREATE FUNCTION @extschema@.sync_create_table(name text, definition jsonb) RETURNS regclass
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_create_table';
COMMENT ON FUNCTION @extschema@.sync_create_table(text, jsonb) IS 'Creates a table from what sync_get_schema() has said of another';

CREATE FUNCTION @extschema@.sync_checksum(table_name regclass) RETURNS text
    LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'pgsync_checksum';
COMMENT ON FUNCTION @extschema@.sync_checksum(regclass) IS 'Count and checksum of the rows of a table, whatever their order';

-- Not for users: the statements that sync writes call it.
CREATE FUNCTION @extschema@._sync_differ(record, record) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgsync_differ';
COMMENT ON FUNCTION @extschema@._sync_differ(record, record) IS 'Whether two rows differ in what sync calls equal';
CREATE FUNCTION @extschema@._sync_is_mine(xid) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'pgsync_is_mine';
COMMENT ON FUNCTION @extschema@._sync_is_mine(xid) IS 'Whether a row version with this xmin was written by the current transaction';

-- ------------------------------------------------------------------------------------------------
-- Peers
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_connect(url text, code text DEFAULT NULL, token text DEFAULT NULL,
        password text DEFAULT NULL, protocol text DEFAULT 'auto', timeout interval DEFAULT '30 s') RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_connect';
COMMENT ON FUNCTION @extschema@.sync_connect(text, text, text, text, text, interval) IS 'Connects to a peer; returns the number by which other functions know the connection';

CREATE FUNCTION @extschema@.sync_connected(client int) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_connected';
COMMENT ON FUNCTION @extschema@.sync_connected(int) IS 'Whether a connection to a peer is up';

CREATE FUNCTION @extschema@.sync_disconnect(client int) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_disconnect';
COMMENT ON FUNCTION @extschema@.sync_disconnect(int) IS 'Ends a connection to a peer, and the session there';

CREATE FUNCTION @extschema@.sync_clients()
    RETURNS TABLE(client int, url text, protocol text, status text, role name, connected_at timestamptz,
        snapshot_at timestamptz, peer_version text, bytes_in bigint, bytes_out bigint)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_clients';
COMMENT ON FUNCTION @extschema@.sync_clients() IS 'Connections of this backend to peers';

CREATE FUNCTION @extschema@.sync_remote_list_tables(client int, schema name DEFAULT 'public', exact_counts boolean DEFAULT false)
    RETURNS TABLE(schema name, name name, row_count bigint, size_bytes bigint, depends_on text[])
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_remote_list_tables';
COMMENT ON FUNCTION @extschema@.sync_remote_list_tables(int, name, boolean) IS 'Tables that the peer shares';

CREATE FUNCTION @extschema@.sync_remote_get_schema(client int, table_name text) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_remote_get_schema';
COMMENT ON FUNCTION @extschema@.sync_remote_get_schema(int, text) IS 'Definition of a table of the peer';

CREATE FUNCTION @extschema@.sync_remote_get_count(client int, table_name text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_remote_get_count';
COMMENT ON FUNCTION @extschema@.sync_remote_get_count(int, text) IS 'Number of rows of a table of the peer';

CREATE FUNCTION @extschema@.sync_remote_fetch(client int, table_name text, row_limit bigint DEFAULT 100,
        row_offset bigint DEFAULT 0, after jsonb DEFAULT NULL) RETURNS SETOF jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_remote_fetch';
COMMENT ON FUNCTION @extschema@.sync_remote_fetch(int, text, bigint, bigint, jsonb) IS 'Rows of a table of the peer as JSON';

CREATE FUNCTION @extschema@.sync_transfer(client int, table_name text, local_table text DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL)
    RETURNS @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_transfer';
COMMENT ON FUNCTION @extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) IS 'Transfers a table of the peer into a table of this database';

CREATE FUNCTION @extschema@.sync_transfer_all(client int, tables text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
        strategies jsonb DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL)
    RETURNS SETOF @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_transfer_all';
COMMENT ON FUNCTION @extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) IS 'Transfers tables of the peer, in the order of their foreign keys';

CREATE FUNCTION @extschema@.sync_pull(url text, code text DEFAULT NULL, token text DEFAULT NULL,
        tables text[] DEFAULT NULL, exclude text[] DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL)
    RETURNS SETOF @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_pull';
COMMENT ON FUNCTION @extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) IS 'Connects, transfers and disconnects in one call';

CREATE FUNCTION @extschema@.sync_diff(client int, table_name text, local_table text DEFAULT NULL,
        row_limit bigint DEFAULT NULL)
    RETURNS TABLE(kind text, key jsonb, local jsonb, remote jsonb)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_diff';
COMMENT ON FUNCTION @extschema@.sync_diff(int, text, text, bigint) IS 'Rows in which a table of the peer differs from one of this database: insert (only the peer has it), delete (only this database has it), update (both have the key)';

CREATE FUNCTION @extschema@.sync_compare_schema(client int, tables text[] DEFAULT NULL)
    RETURNS TABLE(table_name text, kind text, local text, remote text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_compare_schema';
COMMENT ON FUNCTION @extschema@.sync_compare_schema(int, text[]) IS 'What differs between the definitions of the peer''s tables and of those of this database';

CREATE FUNCTION @extschema@.sync_push(client int, table_name regclass, remote_table text DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL)
    RETURNS @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_push';
COMMENT ON FUNCTION @extschema@.sync_push(int, regclass, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) IS 'Sends a table of this database into a table of the peer, which commits before the call returns: a ROLLBACK here does not undo it';

CREATE FUNCTION @extschema@.sync_push_all(client int, tables regclass[] DEFAULT NULL, exclude regclass[] DEFAULT NULL,
        strategies jsonb DEFAULT NULL,
        strategy text DEFAULT 'skip', create_missing_tables boolean DEFAULT true, batch_size int DEFAULT NULL,
        mode text DEFAULT 'auto', triggers text DEFAULT 'fire', sequences text DEFAULT 'advance',
        dry_run boolean DEFAULT false, max_errors bigint DEFAULT 0, max_deletes bigint DEFAULT NULL,
        verify boolean DEFAULT false, drop_extra_columns boolean DEFAULT false, max_rate bigint DEFAULT NULL)
    RETURNS SETOF @extschema@.sync_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_push_all';
COMMENT ON FUNCTION @extschema@.sync_push_all(int, regclass[], regclass[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) IS 'Sends tables of this database to the peer in one transaction there, which commits before the call returns: a ROLLBACK here does not undo it';

-- ------------------------------------------------------------------------------------------------
-- Who is doing what
-- ------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.sync_progress()
    RETURNS TABLE(pid int, transfer uuid, client int, peer text, role name, direction text, table_name text, phase text,
        rows_done bigint, rows_total bigint, bytes bigint, rows_per_second float8, started_at timestamptz,
        estimated_end timestamptz)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_progress';
COMMENT ON FUNCTION @extschema@.sync_progress() IS 'Transfers that are running';

CREATE FUNCTION @extschema@.sync_peers()
    RETURNS TABLE(pid int, address inet, role name, database name, session text, state text, snapshot_age interval,
        xmin xid, bytes bigint, connected_at timestamptz)
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_peers';
COMMENT ON FUNCTION @extschema@.sync_peers() IS 'Peers that are connected to this server';

CREATE FUNCTION @extschema@.sync_terminate_peer(pid int) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'pgsync_terminate_peer';
COMMENT ON FUNCTION @extschema@.sync_terminate_peer(int) IS 'Disconnects a peer';

-- ------------------------------------------------------------------------------------------------
-- Rights. What is not revoked here everyone may execute: it acts with the caller's own rights.
-- ------------------------------------------------------------------------------------------------

-- administer
REVOKE ALL ON FUNCTION @extschema@.sync_enable() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_disable() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_set_incoming_mode(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_get_incoming_password() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_set_incoming_password(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_validate_incoming_password(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_terminate_peer(int) FROM PUBLIC;

-- share
REVOKE ALL ON FUNCTION @extschema@.sync_create_session(text, regclass[], interval, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_get_session(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_validate_code(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_update_session(text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_delete_session(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_sessions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_peers() FROM PUBLIC;

-- connect
REVOKE ALL ON FUNCTION @extschema@.sync_connect(text, text, text, text, text, interval) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_remote_list_tables(int, name, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_remote_get_schema(int, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_remote_get_count(int, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_remote_fetch(int, text, bigint, bigint, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_transfer(int, text, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_transfer_all(int, text[], text[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_diff(int, text, text, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_compare_schema(int, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_pull(text, text, text, text[], text[], text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_push(int, regclass, text, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.sync_push_all(int, regclass[], regclass[], jsonb, text, boolean, int, text, text, text, boolean, bigint, bigint, boolean, boolean, bigint) FROM PUBLIC;
