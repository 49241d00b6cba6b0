/* sync 1.1: permanent connections, history, jobs */

\echo Use "ALTER EXTENSION sync UPDATE" to load this file. \quit

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
    site_url text NOT NULL,
    auth_token_hash text NOT NULL,
    action text NOT NULL CHECK (action IN ('active', 'suspended', 'revoked', 'delete')),
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
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
    -- Of a job: what it is to do, and how far it has come. Null for all else.
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
