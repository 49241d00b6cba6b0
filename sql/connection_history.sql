-- The history of transfers: approval, numbers, clearing up. Where the module is disabled nothing expires by itself
-- meanwhile, once no worker is left that began before.
SELECT sync_disable();
DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sync job worker') LOOP
        PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
    END LOOP;
END $$;
SELECT status FROM sync_create_connection('from', 'receiver', 'https://db1.example/shop', token => 'abc');
INSERT INTO sync_transfers (direction, connection_uuid, table_name, records_transferred, records_created, records_updated,
        bytes_transferred, status, inserted_at, completed_at)
    SELECT d, c.uuid, t, 10, cr, 2, 100, s, i, i FROM sync_connections c, (VALUES
        ('receive', 'orders', 5, 'completed', '2020-01-01 00:00Z'::timestamptz), ('receive', 'orders', 6, 'completed', '2020-02-01 00:00Z'),
        ('receive', 'users', 0, 'failed', '2020-02-01 00:00Z'), ('receive', 'users', 1, 'completed', '2020-03-01 00:00Z'),
        ('receive', 'users', 0, 'cancelled', '2020-03-01 00:00Z')) AS v(d, t, cr, s, i);
INSERT INTO sync_transfers (direction, table_name, records_transferred, records_created, bytes_transferred, status)
    VALUES ('send', 'orders', 3, 3, 30, 'completed');
SELECT * FROM sync_connection_stats('from');
SELECT * FROM sync_table_stats();
SELECT * FROM sync_table_stats('receive');
SELECT * FROM sync_table_stats('send');
SELECT * FROM sync_table_stats(connection => 'from', since => '2020-02-01 00:00Z', until => '2020-03-01 00:00Z');
\set VERBOSITY terse
SELECT * FROM sync_table_stats('sideways');
SELECT * FROM sync_table_stats(connection => 'no such');
SELECT * FROM sync_connection_stats('no such');
SELECT connection, table_name, status, success_rate, duration FROM sync_transfer_list ORDER BY inserted_at, table_name, status LIMIT 4;

-- Approval.
CREATE TABLE waiting AS
    SELECT gen_random_uuid() AS uuid, t AS name, status, left_over FROM (VALUES ('a', 'pending_approval', interval '1 hour'),
        ('b', 'pending_approval', '1 hour'), ('late', 'pending_approval', '-1 second'), ('done', 'completed', NULL), ('running', 'in_progress', NULL)) v(t, status, left_over);
INSERT INTO sync_transfers (uuid, direction, table_name, status, requires_approval, approval_expires_at)
    SELECT uuid, 'send', name, status, true, now() + left_over FROM waiting;
SELECT t.status, t.approved_by = current_user AS by_me, t.approved_at IS NOT NULL AS at FROM waiting w, LATERAL sync_approve_transfer(w.uuid) t WHERE name = 'a';
SELECT t.status, t.denied_by = current_user AS by_me, t.denial_reason FROM waiting w, LATERAL sync_deny_transfer(w.uuid, 'no') t WHERE name = 'b';
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'a';
SELECT sync_deny_transfer(uuid) FROM waiting WHERE name = 'a';
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'b';
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'late';
SELECT sync_deny_transfer(uuid) FROM waiting WHERE name = 'late';
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'done';
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'running';
SELECT sync_approve_transfer('00000000-0000-0000-0000-000000000000');
SELECT sync_deny_transfer(NULL);
-- Only by one who may let the connection's role show its tables.
CREATE ROLE approver;
GRANT EXECUTE ON FUNCTION sync_approve_transfer(uuid), sync_deny_transfer(uuid, text) TO approver;
UPDATE sync_transfers SET connection_uuid = (SELECT uuid FROM sync_connections), status = 'pending_approval', approval_expires_at = now() + '1 hour'
    WHERE table_name IN ('a', 'b');
GRANT SELECT ON waiting TO approver;
SET ROLE approver;
SELECT sync_approve_transfer(uuid) FROM waiting WHERE name = 'a';
SELECT t.status FROM waiting w, LATERAL sync_deny_transfer(w.uuid) t WHERE name = 'b';
SELECT sync_purge_transfers('0');
RESET ROLE;

-- Clearing up takes what has ended, and only that.
SELECT sync_purge_transfers('-1 day');
SELECT sync_purge_transfers(NULL);
SELECT sync_purge_transfers('1 day');
SELECT sync_purge_transfers('0');
SELECT table_name, status FROM sync_transfer_list ORDER BY 1;

-- The history outlives its connection.
SELECT name FROM sync_delete_connection('from');
SELECT table_name, connection_uuid, connection FROM sync_transfer_list ORDER BY 1;
DELETE FROM sync_transfers;
DELETE FROM sync_notices;
REVOKE ALL ON FUNCTION sync_approve_transfer(uuid), sync_deny_transfer(uuid, text) FROM approver;
DROP TABLE waiting;
DROP ROLE approver;
