-- Permanent connections: who may make and change them, what is checked, which statuses there are.
-- Nobody listens at port 1.
CREATE ROLE dba NOSUPERUSER;
CREATE ROLE sales;
CREATE ROLE nobody;
GRANT sales TO dba;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO dba;
GRANT SELECT ON sync_connection_list, sync_transfer_list TO dba;
SET client_min_messages = error;
CREATE TABLE kept_token AS SELECT * FROM sync_create_connection('shop', 'sender', 'http://localhost:1/');
SELECT status FROM sync_create_connection('new', 'sender', 'http://localhost:1/new');
RESET client_min_messages;
SELECT length(token), token ~ '^[A-Za-z0-9_-]*$' AS url_safe, status FROM kept_token;
-- The hash of the token is kept, not the token; a slash at the end of the URL is not.
SELECT c.auth_token_hash = encode(sha256(convert_to(k.token, 'UTF8')), 'hex') AS hashed, site_url, run_as = current_user AS own
    FROM sync_connections c, kept_token k WHERE c.uuid = k.uuid;
SELECT count(*) FROM sync_secrets;
-- A receiver keeps the token, and is active.
SELECT token, status, remote_status FROM sync_create_connection('prod', 'receiver', 'https://db1.example/shop',
    '{"default_conflict_strategy": "overwrite", "download_password": "pw"}', token => 'abc');
SELECT token, password, auth_token_hash = encode(sha256('abc'), 'hex') AS hashed FROM sync_secrets s JOIN sync_connections c ON c.uuid = s.connection_uuid;
SELECT name, direction, status, approval_mode, default_conflict_strategy, download_password_set, max_records_per_request,
    rate_limit_requests_per_minute, auto_sync_interval_minutes, approved_by = current_user AS approved FROM sync_connection_list ORDER BY name;

-- Refused.
\set VERBOSITY terse
SELECT sync_create_connection('x', 'receiver', 'http://localhost:1/x');
SELECT sync_create_connection('x', 'both', 'http://localhost:1/x');
SELECT sync_create_connection('x', 'sender', 'ftp://localhost:1/x');
SELECT sync_create_connection('x', 'sender', 'localhost:1');
SELECT sync_create_connection('x', 'sender', 'http://me:secret@localhost:1');
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x?y=1');
SELECT sync_create_connection('', 'sender', 'http://localhost:1/x');
SELECT sync_create_connection(E' \t', 'sender', 'http://localhost:1/x');
SELECT sync_create_connection(repeat('x', 256), 'sender', 'http://localhost:1/x');
SELECT sync_create_connection('http://localhost', 'sender', 'http://localhost:1/x');
SELECT sync_create_connection('00000000-0000-0000-0000-000000000000', 'sender', 'http://localhost:1/x');
SELECT sync_create_connection(NULL, 'sender', 'http://localhost:1/x');
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x', NULL);
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x', '[]');
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x', '{"name": "y"}');
SELECT sync_create_connection('x', 'receiver', 'http://localhost:1/x', token => '');
SELECT sync_create_connection('x', 'receiver', 'http://localhost:1/x', token => 'a b');
SELECT sync_create_connection('x', 'receiver', 'http://localhost:1/x', token => repeat('x', 256));
SELECT sync_create_connection('x', 'receiver', 'http://localhost:1/x', token => 'x', run_as => 'no_such_role');
SELECT sync_create_connection('shop', 'receiver', 'http://localhost:1/x', token => 'x');
SELECT sync_create_connection('x', 'receiver', 'https://db1.example/shop/', token => 'x');
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x', token => k.token) FROM kept_token k;

-- Settings: every one is checked when it is set.
SELECT s, max_downloads, remaining_downloads, max_records_total, remaining_records FROM (VALUES ('{"max_downloads": 3, "max_records_total": 100}'::jsonb), ('{"max_downloads": null}')) v(s),
    LATERAL sync_update_connection('shop', s);
SELECT approval_mode, allowed_tables, excluded_tables, auto_approve_tables, expires_at AT TIME ZONE 'UTC' AS expires_at, expires_soon,
    max_records_per_request, rate_limit_requests_per_minute, ip_whitelist, allowed_hours_start, allowed_hours_end, download_password_set, metadata - 'remote_notification' AS metadata
    FROM sync_update_connection('shop', '{"approval_mode": "per_table", "allowed_tables": ["public.orders", "Sales.\"Mixed Case\"", "users"],
    "excluded_tables": ["secrets"], "auto_approve_tables": ["orders"], "expires_at": "2030-01-02 03:04:05+02",
    "max_records_per_request": 500, "rate_limit_requests_per_minute": 10, "ip_whitelist": ["10.0.0.0/8", "2001:db8::1"],
    "allowed_hours_start": 22, "allowed_hours_end": 6, "download_password": "s3cret", "metadata": {"a": 1}, "own_url": "http://me.example/"}');
SELECT expires_at AT TIME ZONE 'UTC' AS zero FROM sync_update_connection('shop', '{"expires_at": "2000-01-01 00:00:00+00"}');
SELECT download_password_hash ~ '^SCRAM-SHA-256\$4096:' AS scram FROM sync_connections WHERE name = 'shop';
SELECT allowed_tables, download_password_set, expires_at, metadata - 'remote_notification' AS metadata FROM sync_update_connection('shop',
    '{"allowed_tables": null, "download_password": "", "expires_at": null, "metadata": {"b": 2}, "own_url": null}');
DO $$
DECLARE
    s jsonb;
    hint text;
BEGIN
    FOREACH s IN ARRAY ARRAY['{"ip_whitelist": ["10.0.0.0/33"]}', '{"ip_whitelist": ["localhost"]}', '{"ip_whitelist": "10.0.0.0/8"}', '{"ip_whitelist": [7]}',
        '{"allowed_hours_start": 24}', '{"allowed_hours_end": -1}', '{"allowed_hours_end": 1.5}', '{"allowed_hours_end": "6"}',
        '{"max_downloads": 0}', '{"max_records_total": -5}', '{"max_records_per_request": 0}', '{"max_records_per_request": null}',
        '{"rate_limit_requests_per_minute": 0}', '{"rate_limit_requests_per_minute": 3000000000}', '{"auto_sync_interval_minutes": 0}',
        '{"default_conflict_strategy": "mirror"}', '{"approval_mode": "maybe"}', '{"allowed_tables": ["a.b.c"]}', '{"allowed_tables": ["a b"]}',
        '{"auto_sync_enabled": 1}', '{"expires_at": "tomorrowish"}', '{"expires_at": 5}', '{"metadata": []}', '{"name": ""}', '{"name": null}',
        '{"download_password": 5}', '{"direction": "receiver"}', '{"site_url": "http://x"}', '{"token": "x"}', '{"status": "active"}',
        '{"downloads_used": 0}', '{"run_as": "no_such_role"}', '{"register_password": "x"}', '{"own_url": "nonsense"}', '5']::jsonb[]
    LOOP
        BEGIN
            PERFORM sync_update_connection('shop', s);
            RAISE NOTICE '% was taken', s;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
            RAISE NOTICE '% % %', s, SQLSTATE, SQLERRM || CASE WHEN hint <> '' AND s ? 'token' THEN ' / ' || hint ELSE '' END;
        END;
    END LOOP;
END
$$;
-- What has no effect there is said.
SELECT auto_sync_enabled FROM sync_update_connection('shop', '{"auto_sync_enabled": true}');
SELECT name FROM sync_update_connection('prod', '{"max_downloads": 1, "name": "production"}');
SELECT name FROM sync_update_connection('production', '{"download_password": "", "auto_sync_tables": ["orders"]}');
SELECT password IS NULL AS cleared FROM sync_secrets;
SELECT sync_update_connection('no such', '{}');
-- By uuid, in any case of letters.
SELECT name FROM kept_token k, LATERAL sync_update_connection(upper(k.uuid::text), '{}');

-- Statuses. Only a pending connection is approved; to revoke is final.
CREATE FUNCTION status(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT status || coalesce('' by '' || suspended_by, '''') || coalesce('': '' || suspended_reason, '''')
        || coalesce('' revoked by '' || revoked_by || '': '' || revoked_reason, '''') FROM %s', sql) INTO result;
    RETURN replace(result, current_user, 'me');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT what, status(what) FROM unnest(ARRAY[
    $$sync_reactivate_connection('shop')$$,
    $$sync_approve_connection('shop')$$,
    $$sync_approve_connection('shop')$$,
    $$sync_suspend_connection('shop', 'too much')$$,
    $$sync_suspend_connection('shop')$$,
    $$sync_approve_connection('shop')$$,
    $$sync_reactivate_connection('shop')$$,
    $$sync_update_connection('shop', '{"max_downloads": 1}')$$,
    $$sync_suspend_connection('shop')$$]) AS what;
UPDATE sync_connections SET downloads_used = 1 WHERE name = 'shop';
SELECT what, status(what) FROM unnest(ARRAY[
    $$sync_reactivate_connection('shop')$$,
    $$sync_update_connection('shop', '{"max_downloads": 2}')$$,
    $$sync_reactivate_connection('shop')$$,
    $$sync_revoke_connection('shop', 'enough')$$,
    $$sync_revoke_connection('shop')$$,
    $$sync_reactivate_connection('shop')$$,
    $$sync_suspend_connection('shop')$$,
    $$sync_approve_connection('shop')$$]) AS what;
SELECT status, expires_soon FROM sync_approve_connection('new');
SELECT expires_soon FROM sync_update_connection('new', jsonb_build_object('expires_at', now() + '23 hours'));
SELECT expires_soon FROM sync_update_connection('new', jsonb_build_object('expires_at', now() + '25 hours'));
SELECT name FROM sync_delete_connection('new');
-- The other site will be told what is now so, and nothing that is not so any more.
SELECT n.site_url, action FROM sync_notices n ORDER BY 1;

-- A new token.
CREATE TABLE new_token AS SELECT sync_regenerate_token('shop') AS token;
SELECT n.token <> k.token AS new, auth_token_hash = encode(sha256(n.token::bytea), 'hex') AS kept FROM new_token n, kept_token k, sync_connections WHERE name = 'shop';
SELECT sync_regenerate_token('production');

-- Deleted, with its secrets, but for what the other site is to be told.
SELECT name, status FROM sync_delete_connection('production');
SELECT count(*) FROM sync_secrets;
SELECT sync_delete_connection('production');
SELECT site_url, action, connection_uuid IS NOT NULL AS of_connection FROM sync_notices ORDER BY 1;

-- Ordinary roles: nothing; administrators: what acts as a role of theirs.
SET ROLE nobody;
SELECT sync_create_connection('x', 'sender', 'http://localhost:1/x');
SELECT sync_revoke_connection('shop');
SELECT count(*) FROM sync_connection_list;
SELECT count(*) FROM sync_secrets;
SELECT count(*) FROM sync_connections;
SELECT count(*) FROM sync_notices;
SET ROLE dba;
SELECT count(*) FROM sync_secrets;
SELECT count(*) FROM sync_connections;
SELECT name, status FROM sync_connection_list;
SELECT status FROM sync_create_connection('mine', 'receiver', 'http://localhost:1/mine', token => 'mine', run_as => 'sales');
SELECT sync_create_connection('theirs', 'receiver', 'http://localhost:1/theirs', token => 'theirs', run_as => 'nobody');
SELECT sync_update_connection('mine', '{"run_as": "nobody"}');
SELECT sync_update_connection('shop', '{"expires_at": null}');
SELECT sync_regenerate_token('shop');
SELECT status FROM sync_suspend_connection('mine');
RESET ROLE;
SELECT status FROM sync_create_connection('theirs', 'receiver', 'http://localhost:1/theirs', token => 'theirs', run_as => 'nobody');
SET ROLE dba;
-- To stop is everyone's who may stop; to go on is not.
SELECT status FROM sync_suspend_connection('theirs');
SELECT sync_reactivate_connection('theirs');
RESET ROLE;
-- A role that was dropped.
DROP ROLE nobody;
SELECT sync_reactivate_connection('theirs');
SELECT run_as FROM sync_update_connection('theirs', '{"run_as": "sales"}');
SELECT status FROM sync_reactivate_connection('theirs');

-- Secrets do not appear in the activity that others see.
CREATE FUNCTION activity() RETURNS text LANGUAGE sql AS $$ SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid() $$;
SELECT token, activity() FROM sync_create_connection('hidden', 'receiver', 'http://localhost:1/hidden', token => 'h1dden');
SELECT name, activity() FROM sync_update_connection('hidden', '{"download_password": "h1dden"}');

-- A superuser as the one who serves is warned of; a read-only transaction writes nothing.
SELECT name FROM sync_update_connection('shop', jsonb_build_object('run_as', current_user));
BEGIN READ ONLY;
SELECT sync_suspend_connection('theirs');
ROLLBACK;

-- Every function belongs to a class, and what is not for PUBLIC was revoked.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'sync' WHERE p.proname LIKE 'sync%' AND p.oid NOT IN (SELECT function FROM sync_privileges);
SELECT function, class FROM sync_privileges WHERE (class = 'public') <> has_function_privilege('public', function, 'EXECUTE');
SELECT class, count(*) > 0 FROM sync_privileges GROUP BY class ORDER BY class;

DROP TABLE kept_token, new_token;
DROP FUNCTION activity(), status(text);
DELETE FROM sync_connections;
DELETE FROM sync_notices;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM dba;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM dba;
DROP ROLE dba, sales;
