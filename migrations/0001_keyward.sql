-- The schema of Keyward: tables, then functions and triggers, then indexes.
--
-- Names are found in the schema that the connection's search_path begins with. Functions and triggers name what they call in full or
-- set their own search_path: where anyone may create objects in `public` (the default up to PostgreSQL 14), a function of the same name
-- would otherwise run with the rights of the role that changes a key.

-- Tables

-- API keys. Each carries the transaction that changed it last (changed_xid) and a version, which grows by one with each change. An
-- instance reads the keys that were changed at or after its watermark, which is pg_snapshot_xmin(pg_current_snapshot()) of the same
-- statement: so a transaction that commits late is not missed.
CREATE TABLE auth_keys (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 2000),
    owner text COLLATE "C" CHECK (char_length(owner) BETWEEN 1 AND 519 AND octet_length(owner) <= 1600),
    scopes text[] NOT NULL DEFAULT '{}' CHECK (array_position(scopes, NULL) IS NULL),
    enabled boolean NOT NULL DEFAULT true,
    expires_at timestamptz,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    labels jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    not_before timestamptz,
    -- An empty list is no restriction.
    allowed_methods text[] NOT NULL DEFAULT '{}',
    allowed_paths text[] NOT NULL DEFAULT '{}',
    allowed_cidrs text[] NOT NULL DEFAULT '{}',
    -- The rules whose violations are reported and not refused.
    report_only text[] NOT NULL DEFAULT '{}'
);

-- The secrets of keys, as hashes. A key has more than one during the grace period of a rotation.
CREATE TABLE auth_key_secrets (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL REFERENCES auth_keys (id) ON DELETE CASCADE,
    prefix text NOT NULL CONSTRAINT auth_key_secrets_prefix_check
        CHECK (CASE WHEN whole_prefix THEN octet_length(prefix) <= 64 ELSE prefix ~ '^[a-z0-9_]{1,24}$' END),
    -- Empty where a digest alone was imported.
    last_four text NOT NULL CONSTRAINT auth_key_secrets_last_four_check
        CHECK (CASE WHEN whole_prefix THEN char_length(last_four) <= 4 ELSE char_length(last_four) = 4 END),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    -- The rotation that made the secret; null for the first one.
    rotation_id uuid,
    -- True if the secret begins with the prefix alone, false if an underscore follows the prefix.
    whole_prefix boolean NOT NULL DEFAULT false
);

-- The remains of deleted secrets: instances learn of a deletion from them, and an older row cannot bring the secret back.
CREATE TABLE auth_key_tombstones (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- The requests that were carried out under an Idempotency-Key, for a day, as hashes.
CREATE TABLE idempotency_claims (
    claim bytea PRIMARY KEY CHECK (octet_length(claim) = 32),
    request bytea NOT NULL CHECK (octet_length(request) = 32),
    key_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The rotation that was carried out; null for the creation of a key.
    rotation_id uuid
);

-- How imported tokens are recognised and hashed. Instances read all rows with each read of the changes; there are few, and they stay.
CREATE TABLE auth_key_schemes (
    prefix text COLLATE "C" NOT NULL CHECK (octet_length(prefix) <= 64),
    algorithm text NOT NULL CHECK (algorithm IN ('sha256', 'sha512')),
    part text NOT NULL CHECK (part IN ('token', 'suffix')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (prefix, algorithm, part)
);

-- The use of keys, one row a key from its creation on, because lists are ordered by it. Instances count and write in batches, each in
-- the same order (key, secret, day), so that no deadlock arises. Use is no change of a key: auth_keys is not written.
CREATE TABLE auth_key_usage (
    key_id uuid PRIMARY KEY,
    -- Null for a key that was never used.
    last_used_at timestamptz,
    last_address text,
    last_agent text,
    requests bigint NOT NULL DEFAULT 0,
    -- Copies of the key's attributes, kept by triggers, so that one index answers a list that is ordered by use.
    created_at timestamptz,
    expires_at timestamptz,
    is_deactivated boolean NOT NULL DEFAULT false,
    -- The bits of the key's scopes and labels (auth_key_terms).
    terms bigint NOT NULL DEFAULT 0
);

-- The use of secrets, one row a secret from its first use on.
CREATE TABLE auth_key_secret_usage (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL,
    last_used_at timestamptz NOT NULL,
    requests bigint NOT NULL
);

-- The requests of each key, secret and day of UTC.
CREATE TABLE auth_key_usage_days (
    key_id uuid NOT NULL,
    day date NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    requests bigint NOT NULL,
    PRIMARY KEY (key_id, day, digest)
);

-- The audit trail: what admins did, and what was refused.
--
-- A trigger alone sets moment and transaction of an event. A restore creates triggers last: until then no event can be added and no key
-- changed, so that nothing gets between the restored rows.
CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    xid xid8 NOT NULL,
    -- The id of an admin key, or one of: bootstrap, anonymous, system.
    actor text COLLATE "C" NOT NULL,
    actor_name text,
    address text NOT NULL,
    request_id text NOT NULL,
    action text COLLATE "C" NOT NULL,
    key_id uuid,
    owner text COLLATE "C",
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    code text,
    changes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(changes) = 'object')
);

-- The chain that seals the trail: one row an event, in the order of the events' transactions. The hash is SHA-256 of the hash before it,
-- of this row and of the event. All events of transactions before the horizon are sealed by this row or one before it.
CREATE TABLE audit_seals (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    event_id bigint NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at timestamptz NOT NULL,
    horizon xid8 NOT NULL,
    history text NOT NULL
);

-- Admin keys have a table of their own, so that an admin key is never taken for an API key, nor the other way round.
CREATE TABLE admin_keys (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    permissions text[] NOT NULL CHECK (array_position(permissions, NULL) IS NULL),
    -- The owner whose keys the admin key is limited to; null for all.
    owner text COLLATE "C" CHECK (char_length(owner) BETWEEN 1 AND 519 AND octet_length(owner) <= 1600),
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    last_four text NOT NULL CHECK (char_length(last_four) = 4),
    expires_at timestamptz,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0)
);

-- Marks that instances leave once a minute. A database that was restored or rolled back lacks the newest. A row with an instruction is
-- meant for all instances.
CREATE TABLE feed_epochs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- resync: load all keys again. accept: load all keys again, and accept that the database revives keys.
    instruction text CHECK (instruction IN ('resync', 'accept')),
    -- The identity of the database that an acceptance was given for.
    history text
);

INSERT INTO feed_epochs DEFAULT VALUES;

-- Functions and triggers

-- Stamps every change of a key, by any role and program, so that no instance can miss one. A deactivation is permanent.
CREATE FUNCTION auth_keys_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.deactivated_at IS NOT NULL AND NEW.deactivated_at IS DISTINCT FROM OLD.deactivated_at THEN
        RAISE EXCEPTION 'a deactivation is permanent' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.id IS DISTINCT FROM OLD.id THEN
        RAISE EXCEPTION 'the id of a key is permanent' USING ERRCODE = 'restrict_violation';
    END IF;
    NEW.version := OLD.version + 1;
    NEW.changed_xid := pg_current_xact_id();
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER auth_keys_stamp BEFORE UPDATE ON auth_keys
    FOR EACH ROW EXECUTE FUNCTION auth_keys_stamp();

-- Leaves a tombstone of each secret of a deleted key.
CREATE FUNCTION auth_keys_bury() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    INSERT INTO auth_key_tombstones (digest, key_id, version)
    SELECT digest, key_id, OLD.version + 1 FROM auth_key_secrets WHERE key_id = OLD.id
    ON CONFLICT (digest) DO UPDATE
        SET version = excluded.version, deleted_at = excluded.deleted_at, changed_xid = excluded.changed_xid;
    RETURN OLD;
END
$$;

CREATE TRIGGER auth_keys_bury BEFORE DELETE ON auth_keys
    FOR EACH ROW EXECUTE FUNCTION auth_keys_bury();

-- Stamps the key of a secret that is changed or deleted by itself.
CREATE FUNCTION auth_key_secrets_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_version bigint;
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    IF TG_OP = 'UPDATE' AND (NEW.digest IS DISTINCT FROM OLD.digest OR NEW.key_id IS DISTINCT FROM OLD.key_id) THEN
        RAISE EXCEPTION 'a secret cannot become another' USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE auth_keys SET updated_at = clock_timestamp() WHERE id = OLD.key_id RETURNING version INTO key_version;
    IF TG_OP = 'DELETE' AND FOUND THEN
        INSERT INTO auth_key_tombstones (digest, key_id, version) VALUES (OLD.digest, OLD.key_id, key_version)
        ON CONFLICT (digest) DO UPDATE
            SET version = excluded.version, deleted_at = excluded.deleted_at, changed_xid = excluded.changed_xid;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_key_secrets_stamp AFTER UPDATE OR DELETE ON auth_key_secrets
    FOR EACH ROW EXECUTE FUNCTION auth_key_secrets_stamp();

-- Stamps the keys of added secrets. Keys that this transaction made or changed are stamped already: creation and import cost one index
-- lookup, whatever the table was like when the plan was made. The others are locked in one order, so that no deadlock arises.
CREATE FUNCTION auth_key_secrets_added() RETURNS trigger
LANGUAGE plpgsql SET enable_seqscan = off SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    IF EXISTS (
        SELECT FROM added
        WHERE (SELECT changed_xid FROM auth_keys WHERE id = added.key_id) <> pg_current_xact_id()
    ) THEN
        PERFORM FROM auth_keys WHERE id IN (SELECT key_id FROM added) ORDER BY id FOR NO KEY UPDATE;
        UPDATE auth_keys SET updated_at = clock_timestamp()
        WHERE id IN (SELECT key_id FROM added) AND changed_xid <> pg_current_xact_id();
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_key_secrets_added AFTER INSERT ON auth_key_secrets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION auth_key_secrets_added();

-- Refuses TRUNCATE, which would empty the tables without a trace in the feed.
CREATE FUNCTION auth_keys_refuse_truncate() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE would hide deletions from running instances: use DELETE' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER auth_keys_refuse_truncate BEFORE TRUNCATE ON auth_keys
    FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_refuse_truncate();
CREATE TRIGGER auth_key_tombstones_refuse_truncate BEFORE TRUNCATE ON auth_key_tombstones
    FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_refuse_truncate();
CREATE TRIGGER auth_key_secrets_refuse_truncate BEFORE TRUNCATE ON auth_key_secrets
    FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_refuse_truncate();

-- Returns the bits of scopes and labels: two of 64 for each. A label counts by its name, and by its name and value. A key that has a scope
-- or a label has all of its bits; some others have them too. The function returns a table because PostgreSQL inlines such a function,
-- which it does only for one without settings: hence the full names and exact types.
CREATE FUNCTION auth_key_terms(scopes text[], labels jsonb) RETURNS TABLE (bits bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.bit_or(
        (1::bigint << (hash & 63::bigint)::int4) | (1::bigint << ((hash >> 6) & 63::bigint)::int4)), 0::bigint)
    FROM (
        SELECT pg_catalog.hashtextextended('s'::text || scope, 0::bigint) AS hash FROM pg_catalog.unnest(scopes) scope
        UNION ALL SELECT pg_catalog.hashtextextended('n'::text || name, 0::bigint) FROM pg_catalog.jsonb_object_keys(labels) name
        UNION ALL SELECT pg_catalog.hashtextextended('v'::text || key || '='::text || value, 0::bigint)
            FROM pg_catalog.jsonb_each_text(labels) WHERE value IS NOT NULL
    ) terms
$$;

-- Adds the row of use of a new key. The row may exist, where use was written while a key with that id was deleted.
CREATE FUNCTION auth_keys_begin_usage() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    INSERT INTO auth_key_usage (key_id, created_at, expires_at, is_deactivated, terms)
    SELECT id, created_at, expires_at, deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(scopes, labels))
    FROM made ORDER BY id
    ON CONFLICT (key_id) DO UPDATE SET
        created_at = excluded.created_at, expires_at = excluded.expires_at, is_deactivated = excluded.is_deactivated,
        terms = excluded.terms;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_begin_usage AFTER INSERT ON auth_keys
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_begin_usage();

-- Copies changed attributes, row by row in the order in which use is written, so that no deadlock arises. Each row is found by its id in
-- the index, whatever the table was like when the plan was made; EXCEPT is never planned as a nested loop.
CREATE FUNCTION auth_keys_change_usage() RETURNS trigger
LANGUAGE plpgsql SET enable_seqscan = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    FOR changed IN
        SELECT id, created_at, expires_at, deactivated_at, scopes, labels FROM new_keys
        EXCEPT SELECT id, created_at, expires_at, deactivated_at, scopes, labels FROM old_keys
        ORDER BY id
    LOOP
        UPDATE auth_key_usage
        SET created_at = changed.created_at, expires_at = changed.expires_at,
            is_deactivated = changed.deactivated_at IS NOT NULL,
            terms = (SELECT bits FROM auth_key_terms(changed.scopes, changed.labels))
        WHERE key_id = changed.id;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_change_usage AFTER UPDATE ON auth_keys
    REFERENCING OLD TABLE AS old_keys NEW TABLE AS new_keys FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_change_usage();

-- Deletes the use of deleted keys, in the same order.
CREATE FUNCTION auth_keys_end_usage() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    PERFORM FROM auth_key_usage WHERE key_id IN (SELECT id FROM gone) ORDER BY key_id FOR UPDATE;
    DELETE FROM auth_key_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_secret_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_usage_days u USING gone WHERE u.key_id = gone.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_end_usage AFTER DELETE ON auth_keys
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_end_usage();

-- Sets moment and transaction of an event: its writer does not choose them.
CREATE FUNCTION audit_events_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_events_stamp BEFORE INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_stamp();

-- Refuses changes of the trail, unless triggers are disabled.
CREATE FUNCTION audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER audit_events_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seals_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Refuses seals that break the chain. Each must be the next link, of an event whose transaction is over, hashed as `AuditSeal` does it;
-- and no event before the last one may be left out. All new seals are checked in one statement.
CREATE FUNCTION audit_seals_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The link before the new ones. Its horizon is 0 if the numbers of transactions do not say which events are sealed: where the
    -- chain begins, and until all that came from another cluster is sealed.
    head record;
    -- The last of the new ones, as far as it says what is sealed.
    tail record;
    are_links boolean;
    leave_out boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN RETURN NULL; END IF;

    EXECUTE format($query$
        SELECT c.history, COALESCE(s.seq, 0) AS seq, s.hash,
            CASE WHEN s.history = c.history THEN s.horizon ELSE '0' END AS horizon,
            CASE WHEN s.history = c.history AND e.xid = s.horizon THEN e.id ELSE 0 END AS event
        FROM (SELECT system_identifier::text AS history FROM pg_control_system()) c
        LEFT JOIN (
            SELECT * FROM %1$I.audit_seals WHERE seq < (SELECT min(seq) FROM added) ORDER BY seq DESC LIMIT 1
        ) s ON true
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        $query$, TG_TABLE_SCHEMA) INTO head;

    EXECUTE format($query$
        SELECT bool_and(COALESCE(
            s.seq = $1 + s.place AND s.history = $4
            AND s.sealed_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
            AND s.horizon BETWEEN s.horizon_before AND pg_snapshot_xmin(pg_current_snapshot())
            AND e.xid >= s.horizon_before
            AND (e.xid < pg_snapshot_xmin(pg_current_snapshot())
                OR $3 = '0' AND e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
            AND s.hash = h.hash, false))
        FROM (
            SELECT *, row_number() OVER chain AS place, lag(hash, 1, $2) OVER chain AS hash_before,
                lag(horizon, 1, $3) OVER chain AS horizon_before
            FROM added WINDOW chain AS (ORDER BY seq)
        ) s
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        CROSS JOIN LATERAL (
            SELECT sha256(string_agg(
                CASE WHEN field IS NULL THEN '\x00' ELSE '\x01' || int8send(octet_length(field)) || field END, '' ORDER BY n)) AS hash
            FROM unnest(ARRAY[
                convert_to('keyward audit 1', 'UTF8'), s.hash_before, int8send(s.seq),
                int8send((extract(epoch FROM s.sealed_at) * 1000000)::bigint), xid8send(s.horizon), convert_to(s.history, 'UTF8'),
                int8send(e.id), int8send((CASE
                    WHEN e.at = 'infinity' THEN 9223372036854775807 WHEN e.at = '-infinity' THEN -9223372036854775808
                    ELSE extract(epoch FROM e.at) * 1000000 END)::bigint), xid8send(e.xid),
                convert_to(e.actor, 'UTF8'), convert_to(e.actor_name, 'UTF8'), convert_to(e.address, 'UTF8'),
                convert_to(e.request_id, 'UTF8'), convert_to(e.action, 'UTF8'), uuid_send(e.key_id), convert_to(e.owner, 'UTF8'),
                convert_to(e.outcome, 'UTF8'), convert_to(e.code, 'UTF8'), convert_to(e.changes::text, 'UTF8')
            ]) WITH ORDINALITY f (field, n)
        ) h
        $query$, TG_TABLE_SCHEMA) INTO are_links USING head.seq, head.hash, head.horizon, head.history;

    EXECUTE format($query$
        SELECT s.seq, s.horizon, CASE WHEN e.xid = s.horizon THEN e.id ELSE 0 END AS event
        FROM (SELECT * FROM %1$I.audit_seals ORDER BY seq DESC LIMIT 1) s
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        $query$, TG_TABLE_SCHEMA) INTO tail;

    EXECUTE format($query$
        SELECT EXISTS (
            SELECT FROM %1$I.audit_events e
            WHERE (e.xid, e.id) > ($1, $2) AND (e.xid, e.id) <= ($3, $4)
                AND NOT EXISTS (SELECT FROM %1$I.audit_seals s WHERE s.event_id = e.id))
        $query$, TG_TABLE_SCHEMA) INTO leave_out USING head.horizon, head.event, tail.horizon, tail.event;

    IF NOT are_links OR leave_out OR tail.seq <> (SELECT max(seq) FROM added) THEN
        RAISE EXCEPTION 'this does not continue the chain of the audit trail' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_seals_check AFTER INSERT ON audit_seals
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_seals_check();

-- Keeps what is permanent about an admin key.
CREATE FUNCTION admin_keys_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.deactivated_at IS NOT NULL AND NEW.deactivated_at IS DISTINCT FROM OLD.deactivated_at THEN
        RAISE EXCEPTION 'a deactivation is permanent' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.digest, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.digest, OLD.created_at)
        OR NEW.owner IS DISTINCT FROM OLD.owner
    THEN
        RAISE EXCEPTION 'id, secret and owner of an admin key are permanent' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER admin_keys_stamp BEFORE UPDATE ON admin_keys
    FOR EACH ROW EXECUTE FUNCTION admin_keys_stamp();

-- Returns true, or fails with KW001 where a table, a trigger, a primary key, a foreign key or the record of migrations is missing, or a
-- trigger is disabled. So instances do not believe a database in the middle of a restore. A migration that changes what must be there
-- replaces this function.
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
    IF recorded < 1 THEN RAISE EXCEPTION 'the database is not whole' USING ERRCODE = 'KW001'; END IF;
    RETURN true;
END
$$;

-- Indexes

-- The order of lists by creation, and of an owner's keys.
CREATE INDEX auth_keys_newest_first ON auth_keys (created_at DESC, name, id);
CREATE INDEX auth_keys_owner ON auth_keys (owner, created_at DESC, name, id) WHERE owner IS NOT NULL;

-- The changes since a watermark.
CREATE INDEX auth_keys_changed ON auth_keys (changed_xid);
CREATE INDEX auth_key_tombstones_changed ON auth_key_tombstones (changed_xid);

-- The orders of lists by name and by expiry. Keys without an expiry come last.
CREATE INDEX auth_keys_name ON auth_keys (name, id);
CREATE INDEX auth_keys_end ON auth_keys (expires_at, id);

-- Filters that few keys pass.
CREATE INDEX auth_keys_deactivated ON auth_keys (created_at DESC, name, id) WHERE deactivated_at IS NOT NULL;
CREATE INDEX auth_keys_disabled ON auth_keys (created_at DESC, name, id) WHERE NOT enabled AND deactivated_at IS NULL;
CREATE INDEX auth_keys_scopes ON auth_keys USING gin (scopes);

-- Labels by name and value together. Names have an index of their own, on an expression, so that the planner never uses it for values.
CREATE INDEX auth_keys_labels ON auth_keys USING gin (labels jsonb_path_ops);
CREATE INDEX auth_keys_label_names ON auth_keys USING gin ((labels || '{}'::jsonb));

-- Expired keys depend on the current moment, which no index knows: they are found month by month.
CREATE INDEX auth_keys_end_month
    ON auth_keys (date_trunc('month', expires_at AT TIME ZONE 'UTC'), created_at DESC, name, id)
    INCLUDE (expires_at) WHERE expires_at IS NOT NULL AND deactivated_at IS NULL;

-- The secrets of a key, and keys by the prefix and the last four characters of a secret.
CREATE INDEX auth_key_secrets_key ON auth_key_secrets (key_id);
CREATE INDEX auth_key_secrets_of_prefix ON auth_key_secrets (prefix, key_id) INCLUDE (expires_at);
CREATE INDEX auth_key_secrets_last_four ON auth_key_secrets (last_four);

-- Claims that are a day old.
CREATE INDEX idempotency_claims_age ON idempotency_claims (created_at);

-- The order of lists by use. Keys that were never used come last, the newest id first.
CREATE INDEX auth_key_usage_latest
    ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC) INCLUDE (terms, created_at);
CREATE INDEX auth_key_usage_deactivated ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC) WHERE is_deactivated;
CREATE INDEX auth_key_usage_never ON auth_key_usage (created_at, key_id) INCLUDE (expires_at) WHERE last_used_at IS NULL;
CREATE INDEX auth_key_usage_end_month
    ON auth_key_usage (date_trunc('month', expires_at AT TIME ZONE 'UTC'), last_used_at DESC NULLS LAST, key_id DESC)
    INCLUDE (expires_at) WHERE expires_at IS NOT NULL AND NOT is_deactivated;
CREATE INDEX auth_key_secret_usage_key ON auth_key_secret_usage (key_id);

-- Days that are old enough to be deleted.
CREATE INDEX auth_key_usage_days_day ON auth_key_usage_days USING brin (day);

-- The filters of the trail, and the order in which it is sealed.
CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_xid ON audit_events (xid, id);
CREATE INDEX audit_events_actor ON audit_events (actor, at, id);
CREATE INDEX audit_events_action ON audit_events (action, at, id);
CREATE INDEX audit_events_key ON audit_events (key_id, at, id) WHERE key_id IS NOT NULL;
CREATE INDEX audit_events_owner ON audit_events (owner, at, id) WHERE owner IS NOT NULL;
CREATE INDEX audit_events_refused ON audit_events (at, id) WHERE outcome = 'refused';

CREATE INDEX admin_keys_newest_first ON admin_keys (created_at DESC, name, id);

-- Text, by its trigrams. Without the extension, or the right to create it, a search reads each key.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX auth_keys_text ON auth_keys USING gin (name gin_trgm_ops, description gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_file OR undefined_object THEN
    RAISE NOTICE 'searches for text will be slow: %', SQLERRM;
END
$$;
