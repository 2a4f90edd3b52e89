-- What lets instances notice that the database's past was changed: marks that they leave once a minute, and a check that the
-- database is whole, which it is not in the middle of a restore.
--
-- Instances of the version before go on beside this one: they know nothing of it.

-- Each row is a mark. A database that was restored or rolled back lacks the newest. A row with an order is for all instances.
CREATE TABLE feed_epochs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- resync: load all keys again. accept: and believe the database where it revives a key.
    instruction text CHECK (instruction IN ('resync', 'accept')),
    -- The identity of the database that an acceptance was given for.
    history text
);

INSERT INTO feed_epochs DEFAULT VALUES;

-- Moment and transaction of an event come from the trigger alone. A restore creates triggers last, so that until then no event can be
-- added, and so no key be changed: nothing gets between the restored rows.
ALTER TABLE audit_events ALTER COLUMN at DROP DEFAULT, ALTER COLUMN xid DROP DEFAULT;

-- Returns true, or fails with KW001 where a table, a trigger, a primary key, a foreign key or the record of migrations is missing, or
-- a trigger is disabled. A migration that changes what is to be there replaces this function.
CREATE FUNCTION require_whole_database(keys regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    room oid := (SELECT relnamespace FROM pg_class WHERE oid = keys);
    recorded bigint;
BEGIN
    IF EXISTS (
        SELECT FROM (VALUES
            ('auth_keys', 'auth_keys_begin_usage'), ('auth_keys', 'auth_keys_bury'), ('auth_keys', 'auth_keys_change_usage'),
            ('auth_keys', 'auth_keys_end_usage'), ('auth_keys', 'auth_keys_refuse_truncate'), ('auth_keys', 'auth_keys_stamp'),
            ('auth_key_secrets', 'auth_key_secrets_added'), ('auth_key_secrets', 'auth_key_secrets_refuse_truncate'),
            ('auth_key_secrets', 'auth_key_secrets_stamp'), ('auth_key_tombstones', 'auth_key_tombstones_refuse_truncate'),
            ('audit_events', 'audit_events_refuse'), ('audit_events', 'audit_events_stamp'), ('audit_seals', 'audit_seals_check'),
            ('audit_seals', 'audit_seals_refuse'), ('admin_keys', 'admin_keys_stamp')
        ) wanted (relation, name)
        LEFT JOIN pg_class c ON c.relname = wanted.relation AND c.relnamespace = room
        LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = wanted.name AND t.tgenabled IN ('O', 'A')
        WHERE t.oid IS NULL
    ) OR EXISTS (
        SELECT FROM (VALUES
            ('auth_keys', 'auth_keys_pkey'), ('auth_key_secrets', 'auth_key_secrets_pkey'),
            ('auth_key_secrets', 'auth_key_secrets_key_id_fkey'), ('auth_key_tombstones', 'auth_key_tombstones_pkey'),
            ('auth_key_schemes', 'auth_key_schemes_pkey'), ('auth_key_usage', 'auth_key_usage_pkey'),
            ('auth_key_secret_usage', 'auth_key_secret_usage_pkey'), ('auth_key_usage_days', 'auth_key_usage_days_pkey'),
            ('idempotency_claims', 'idempotency_claims_pkey'), ('audit_events', 'audit_events_pkey'),
            ('audit_seals', 'audit_seals_pkey'), ('audit_seals', 'audit_seals_event_id_key'), ('admin_keys', 'admin_keys_pkey'),
            ('admin_keys', 'admin_keys_digest_key'), ('feed_epochs', 'feed_epochs_pkey'),
            ('keyward_migrations', 'keyward_migrations_pkey')
        ) wanted (relation, name)
        LEFT JOIN pg_class c ON c.relname = wanted.relation AND c.relnamespace = room
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = wanted.name AND k.convalidated
        WHERE k.oid IS NULL
    ) THEN
        RAISE EXCEPTION 'the database is not whole' USING ERRCODE = 'KW001';
    END IF;
    EXECUTE format('SELECT count(*) FROM %s.keyward_migrations', room::regnamespace) INTO recorded;
    IF recorded < 17 THEN RAISE EXCEPTION 'the database is not whole' USING ERRCODE = 'KW001'; END IF;
    RETURN true;
END
$$;
