-- Limits of keys, plans and owners, and credits of keys.
--
-- Instances decide about requests in memory. The rows hold what they report and lease, in batches, and are never read to decide about a
-- single request. All times are those of PostgreSQL, so the clocks of the instances do not matter.

-- The limits of a key, as an array of objects (LimitRule). A plan needs no foreign key, which would lock the plan's row at each creation.
ALTER TABLE auth_keys
    ADD COLUMN plan text COLLATE "C",
    ADD COLUMN limits jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(limits) = 'array'),
    -- True if the key has a row of auth_key_credits. Entries of the index tell it, so that no read of the changes joins that table.
    ADD COLUMN has_credits boolean NOT NULL DEFAULT false,
    -- True if the holder of the key may rotate it.
    ADD COLUMN self_rotation boolean NOT NULL DEFAULT false;

-- Named sets of limits, which keys name.
CREATE TABLE limit_plans (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z0-9-]{1,32}$'),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 2000),
    limits jsonb NOT NULL CHECK (jsonb_typeof(limits) = 'array'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- The keys of a plan: a plan with keys cannot be deleted.
CREATE INDEX auth_keys_plan ON auth_keys (plan) WHERE plan IS NOT NULL;

-- Limits that all keys of an owner share.
CREATE TABLE owner_limits (
    owner text COLLATE "C" PRIMARY KEY CHECK (char_length(owner) BETWEEN 1 AND 519 AND octet_length(owner) <= 1600),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 2000),
    limits jsonb NOT NULL CHECK (jsonb_typeof(limits) = 'array'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- Units of rates that were taken and are not back yet. A missing row is a limit that is full. The table is unlogged: after a crash of
-- PostgreSQL, and after a failover, all rates begin full.
--
-- There is no index but that of the primary key, and pages have free space: so an update writes no index, and the dead rows of a page are
-- removed by the next update (PostgreSQL manual, "Heap-Only Tuples").
CREATE UNLOGGED TABLE limit_levels (
    -- LimitID: the id of a key, or the hash of an owner, combined with the hash of the limit's kind and name.
    id uuid PRIMARY KEY,
    level double precision NOT NULL,
    at timestamptz NOT NULL,
    -- The units that all instances asked for lately. Each instance gets its share of them.
    wanted double precision NOT NULL,
    -- The time at which the row equals a missing one, and may be deleted.
    full_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- Units of quotas that were taken in the calendar period of `at`. The table is logged: quotas survive a crash.
CREATE TABLE limit_quotas (LIKE limit_levels INCLUDING ALL)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);

-- Slots of concurrency limits that instances hold. An instance renews its row, and a row counts until 10 s after that.
CREATE UNLOGGED TABLE limit_slots (
    id uuid NOT NULL,
    instance uuid NOT NULL,
    slots bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (id, instance)
) WITH (fillfactor = 50);

-- Units that keys may spend.
CREATE TABLE auth_key_credits (
    key_id uuid PRIMARY KEY,
    -- Without what instances have leased. Below zero by what was spent before its debit.
    remaining bigint NOT NULL,
    -- Debited since the creation of the row, leases included.
    spent bigint NOT NULL DEFAULT 0,
    -- Null for credits that are not refilled.
    refill_amount bigint CHECK (refill_amount > 0),
    refill_every text COLLATE "C" CHECK (refill_every IN ('day', 'week', 'month')),
    -- The day of a monthly refill; the last day of a shorter month.
    refill_day smallint NOT NULL DEFAULT 1 CHECK (refill_day BETWEEN 1 AND 31),
    -- True if a refill adds its amount, false if it replaces what is left.
    refill_adds boolean NOT NULL DEFAULT false,
    -- The maximum after a refill that adds.
    refill_maximum bigint CHECK (refill_maximum > 0),
    refilled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((refill_amount IS NULL) = (refill_every IS NULL))
) WITH (fillfactor = 80);

-- Stamps every change of a plan or of an owner's limits.
CREATE FUNCTION limits_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.changed_xid := pg_current_xact_id();
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

-- One row, which every change of a plan or of an owner's limits gives another value. Instances read all plans and owner limits only if it
-- has changed. The value is random: after a restore, it equals an earlier one only if the limits do.
CREATE TABLE limit_revision (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    value uuid NOT NULL
);
INSERT INTO limit_revision (value) VALUES (gen_random_uuid());

CREATE FUNCTION limits_revise() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    INSERT INTO limit_revision (value) VALUES (gen_random_uuid()) ON CONFLICT (single) DO UPDATE SET value = excluded.value;
    RETURN NULL;
END
$$;

CREATE TRIGGER limit_plans_revise AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON limit_plans
    FOR EACH STATEMENT EXECUTE FUNCTION limits_revise();
CREATE TRIGGER owner_limits_revise AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON owner_limits
    FOR EACH STATEMENT EXECUTE FUNCTION limits_revise();
CREATE TRIGGER limit_plans_stamp BEFORE UPDATE ON limit_plans FOR EACH ROW EXECUTE FUNCTION limits_stamp();
CREATE TRIGGER owner_limits_stamp BEFORE UPDATE ON owner_limits FOR EACH ROW EXECUTE FUNCTION limits_stamp();

-- Deletes the use and the credits of deleted keys, in the order in which they are written.
CREATE OR REPLACE FUNCTION auth_keys_end_usage() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    PERFORM FROM auth_key_usage WHERE key_id IN (SELECT id FROM gone) ORDER BY key_id FOR UPDATE;
    DELETE FROM auth_key_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_secret_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_usage_days u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_credits c USING gone WHERE c.key_id = gone.id;
    RETURN NULL;
END
$$;

-- As before, with the tables and triggers of limits.
CREATE OR REPLACE FUNCTION require_whole_database(keys regclass) RETURNS boolean
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
            ('audit_seals', 'audit_seals_refuse'), ('admin_keys', 'admin_keys_stamp'), ('limit_plans', 'limit_plans_stamp'),
            ('owner_limits', 'owner_limits_stamp'), ('limit_plans', 'limit_plans_revise'), ('owner_limits', 'owner_limits_revise')
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
            ('keyward_migrations', 'keyward_migrations_pkey'), ('limit_plans', 'limit_plans_pkey'),
            ('owner_limits', 'owner_limits_pkey'), ('limit_quotas', 'limit_quotas_pkey'),
            ('auth_key_credits', 'auth_key_credits_pkey'), ('limit_revision', 'limit_revision_pkey')
        ) wanted (relation, name)
        LEFT JOIN pg_class c ON c.relname = wanted.relation AND c.relnamespace = room
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = wanted.name AND k.convalidated
        WHERE k.oid IS NULL
    ) THEN
        RAISE EXCEPTION 'the database is not whole' USING ERRCODE = 'KW001';
    END IF;
    EXECUTE format('SELECT count(*) FROM %s.keyward_migrations', room::regnamespace) INTO recorded;
    IF recorded < 1 THEN RAISE EXCEPTION 'the database is not whole' USING ERRCODE = 'KW001'; END IF;
    RETURN true;
END
$$;
