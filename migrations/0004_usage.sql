-- Which keys are used: counted by the instances, written in batches, each in the same order (key, secret, day), so that none
-- waits for another in a circle. Nothing here touches auth_keys: use is no change of a key, and no news for the feed.

-- One row a key, from the moment that the key is made: lists are ordered by it.
CREATE TABLE auth_key_usage (
    key_id uuid PRIMARY KEY,
    -- Null: never.
    last_used_at timestamptz,
    -- Where the last request came from, and what sent it.
    last_address text,
    last_agent text,
    requests bigint NOT NULL DEFAULT 0
);

INSERT INTO auth_key_usage (key_id) SELECT id FROM auth_keys;

CREATE INDEX auth_key_usage_last ON auth_key_usage (last_used_at DESC NULLS LAST, key_id);

-- One row a secret, from its first use.
CREATE TABLE auth_key_secret_usage (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    key_id uuid NOT NULL,
    last_used_at timestamptz NOT NULL,
    requests bigint NOT NULL
);

CREATE INDEX auth_key_secret_usage_key ON auth_key_secret_usage (key_id);

-- Days are days of UTC.
CREATE TABLE auth_key_usage_days (
    key_id uuid NOT NULL,
    day date NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    requests bigint NOT NULL,
    PRIMARY KEY (key_id, day, digest)
);

CREATE INDEX auth_key_usage_days_day ON auth_key_usage_days USING brin (day);

CREATE FUNCTION auth_keys_begin_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auth_key_usage (key_id) SELECT id FROM made ORDER BY id ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_begin_usage AFTER INSERT ON auth_keys
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_begin_usage();

CREATE FUNCTION auth_keys_end_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM auth_key_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_secret_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_usage_days u USING gone WHERE u.key_id = gone.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_end_usage AFTER DELETE ON auth_keys
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION auth_keys_end_usage();
