-- Keys, their secrets, and the feed of changes that every instance follows.
--
-- Each key carries the transaction that last changed it (changed_xid) and a version, one more with each change. An instance
-- reads "all keys changed at or after my watermark", the watermark being pg_snapshot_xmin(pg_current_snapshot()) of the same
-- statement, so that a transaction which commits late is never missed; and it keeps the highest version it has seen.

CREATE TABLE auth_keys (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 2000),
    owner text CHECK (char_length(owner) BETWEEN 1 AND 200),
    scopes text[] NOT NULL DEFAULT '{}' CHECK (array_position(scopes, NULL) IS NULL),
    enabled boolean NOT NULL DEFAULT true,
    expires_at timestamptz,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX auth_keys_newest_first ON auth_keys (created_at DESC, name, id);
CREATE INDEX auth_keys_changed ON auth_keys (changed_xid);
CREATE INDEX auth_keys_owner ON auth_keys (owner, created_at DESC, name, id) WHERE owner IS NOT NULL;

CREATE TABLE auth_key_secrets (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL REFERENCES auth_keys (id) ON DELETE CASCADE,
    prefix text NOT NULL CHECK (prefix ~ '^[a-z0-9_]{1,24}$'),
    last_four text NOT NULL CHECK (char_length(last_four) = 4),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz
);

CREATE INDEX auth_key_secrets_key ON auth_key_secrets (key_id);

-- What is left of a deleted secret, so that instances learn of the deletion and nothing older brings it back.
CREATE TABLE auth_key_tombstones (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL,
    version bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_xid xid8 NOT NULL DEFAULT pg_current_xact_id()
);

CREATE INDEX auth_key_tombstones_changed ON auth_key_tombstones (changed_xid);

-- Which requests were carried out under which Idempotency-Key, for a day. Hashes only.
CREATE TABLE idempotency_claims (
    claim bytea PRIMARY KEY CHECK (octet_length(claim) = 32),
    request bytea NOT NULL CHECK (octet_length(request) = 32),
    key_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX idempotency_claims_age ON idempotency_claims (created_at);

-- Every change of a key is stamped here, whoever makes it, so that no instance can miss one; and a deactivation stays.
CREATE FUNCTION auth_keys_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE FUNCTION auth_keys_bury() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auth_key_tombstones (digest, key_id, version)
    SELECT digest, key_id, OLD.version + 1 FROM auth_key_secrets WHERE key_id = OLD.id
    ON CONFLICT (digest) DO UPDATE
        SET version = excluded.version, deleted_at = excluded.deleted_at, changed_xid = excluded.changed_xid;
    RETURN OLD;
END
$$;

CREATE TRIGGER auth_keys_bury BEFORE DELETE ON auth_keys
    FOR EACH ROW EXECUTE FUNCTION auth_keys_bury();

-- A secret that is changed or removed by itself changes its key.
CREATE FUNCTION auth_key_secrets_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    key_version bigint;
BEGIN
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

-- TRUNCATE would empty the tables without a trace in the feed.
CREATE FUNCTION auth_keys_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
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
