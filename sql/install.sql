-- The extension installs into the schema that it is told, and leaves nothing behind.
CREATE SCHEMA "my Schema";
CREATE EXTENSION sync SCHEMA "my Schema";
SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'sync';

-- Its functions find its objects wherever it lives, whatever the search_path.
SET search_path = '';
SELECT "my Schema".sync_enabled();
SELECT "my Schema".sync_enable();
SELECT "my Schema".sync_enabled();
RESET search_path;

DROP EXTENSION sync;
SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'my Schema';
DROP SCHEMA "my Schema";

CREATE EXTENSION sync;

-- Every function has a comment, and the volatility and parallel safety that the contract gives it.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = 'sync' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT p.proname, p.provolatile, p.proparallel FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid
WHERE e.extname = 'sync' AND (p.provolatile, p.proparallel) <> ('v', 'u') ORDER BY 1;

-- All settings are described, and validated when they are set.
SELECT name FROM pg_settings WHERE name LIKE 'sync.%' AND short_desc = '';
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'sync.%' AND name <> 'sync.listen_addresses' ORDER BY 1;
SET sync.nonsense = 1;
ALTER SYSTEM SET sync.allowed_clients = '10.0.0.0/8, nonsense';
ALTER SYSTEM SET sync.allowed_clients = '10.0.0.0/33';
ALTER SYSTEM SET sync.max_page_rows = 0;
SET sync.compression = 'maximal';
SET sync.port = 5481;
