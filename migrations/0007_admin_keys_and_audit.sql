-- The trail of what admins did, the chain that seals it, and keys for admins.
--
-- Instances of the version before write nothing into the trail, and know the key they were started with alone.

CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- The id of an admin key, or one of: bootstrap, anonymous, system.
    actor text COLLATE "C" NOT NULL,
    actor_name text,
    address text NOT NULL,
    request_id text NOT NULL,
    action text COLLATE "C" NOT NULL,
    key_id uuid,
    owner text,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    code text,
    changes jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(changes) = 'object')
);

CREATE INDEX audit_events_at ON audit_events (at, id);
CREATE INDEX audit_events_xid ON audit_events (xid, id);
CREATE INDEX audit_events_actor ON audit_events (actor, at, id);
CREATE INDEX audit_events_action ON audit_events (action, at, id);
CREATE INDEX audit_events_key ON audit_events (key_id, at, id) WHERE key_id IS NOT NULL;
CREATE INDEX audit_events_owner ON audit_events (owner, at, id) WHERE owner IS NOT NULL;
CREATE INDEX audit_events_refused ON audit_events (at, id) WHERE outcome = 'refused';

-- One row an event, in the order of the events' transactions. The hash is SHA-256 of the hash before it, of this row and of the
-- event; all events of transactions before the horizon are sealed by this row or one before it.
CREATE TABLE audit_seals (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    event_id bigint NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    sealed_at timestamptz NOT NULL,
    horizon xid8 NOT NULL,
    history text NOT NULL
);

-- What is in the trail stays as it is, for everybody who does not disable triggers; when and in which transaction an event came
-- is not for its writer to say.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION audit_events_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_events_stamp BEFORE INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_stamp();
CREATE TRIGGER audit_events_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_seals_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Keys for admins are in a table of their own, so that nothing takes one for a key of an API, nor the other way round.
CREATE TABLE admin_keys (
    id uuid PRIMARY KEY,
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    permissions text[] NOT NULL CHECK (array_position(permissions, NULL) IS NULL),
    -- Whose keys alone it is for; NULL for all.
    owner text CHECK (char_length(owner) BETWEEN 1 AND 200),
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    last_four text NOT NULL CHECK (char_length(last_four) = 4),
    expires_at timestamptz,
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0)
);

CREATE INDEX admin_keys_newest_first ON admin_keys (created_at DESC, name, id);

CREATE FUNCTION admin_keys_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
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
