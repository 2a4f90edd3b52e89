-- What stamps the trail looks for functions in PostgreSQL's own schema alone: where everybody may create in `public` (the default up
-- to version 14), another `clock_timestamp` there could have backdated events.

ALTER FUNCTION audit_events_stamp() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION audit_refuse() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION admin_keys_stamp() SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION auth_keys_stamp() SET search_path = pg_catalog, pg_temp;
