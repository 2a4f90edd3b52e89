-- Lists that took long: those by use, and those of keys that ended.
--
-- What such lists need to know of a key, `auth_key_usage` holds beside the moment of the last use, so that an index answers by
-- itself. Triggers keep it, whoever changes the key; use writes none of it.
--
-- Like 0005 this holds up changes of keys, and the writing down of use, not traffic; docs/operations.md says for how long.

LOCK TABLE auth_keys, auth_key_usage IN SHARE ROW EXCLUSIVE MODE;

-- The bits of scopes and labels: two of 64 for each. A label counts by its name, and by its name and value. A table, because
-- PostgreSQL takes such a function apart, which makes it cheap.
CREATE FUNCTION auth_key_terms(scopes text[], labels jsonb) RETURNS TABLE (bits bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bit_or(1::bigint << (hash & 63)::int | 1::bigint << (hash >> 6 & 63)::int), 0)
    FROM (
        SELECT hashtextextended('s' || scope, 0) AS hash FROM unnest(scopes) scope
        UNION ALL SELECT hashtextextended('n' || name, 0) FROM jsonb_object_keys(labels) name
        UNION ALL SELECT hashtextextended('v' || key || '=' || value, 0) FROM jsonb_each_text(labels) WHERE value IS NOT NULL
    ) terms
$$;

-- A key that has a scope or a label has all bits of that; so have some others.
ALTER TABLE auth_key_usage
    ADD COLUMN created_at timestamptz,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN is_deactivated boolean NOT NULL DEFAULT false,
    ADD COLUMN terms bigint NOT NULL DEFAULT 0;

DROP INDEX auth_key_usage_latest;

UPDATE auth_key_usage u
SET created_at = k.created_at, expires_at = k.expires_at, is_deactivated = k.deactivated_at IS NOT NULL,
    terms = (SELECT bits FROM auth_key_terms(k.scopes, k.labels))
FROM auth_keys k WHERE k.id = u.key_id;

CREATE INDEX auth_key_usage_latest ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC) INCLUDE (terms, created_at);
CREATE INDEX auth_key_usage_deactivated ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC) WHERE is_deactivated;
CREATE INDEX auth_key_usage_never ON auth_key_usage (created_at, key_id) INCLUDE (expires_at) WHERE last_used_at IS NULL;

-- Which keys have ended is a matter of the moment, which no index knows: they are found month by month.
CREATE INDEX auth_keys_end_month
    ON auth_keys (date_trunc('month', expires_at AT TIME ZONE 'UTC'), created_at DESC, name, id)
    INCLUDE (expires_at) WHERE expires_at IS NOT NULL AND deactivated_at IS NULL;
CREATE INDEX auth_key_usage_end_month
    ON auth_key_usage (date_trunc('month', expires_at AT TIME ZONE 'UTC'), last_used_at DESC NULLS LAST, key_id DESC)
    INCLUDE (expires_at) WHERE expires_at IS NOT NULL AND NOT is_deactivated;

-- Finds the keys of a prefix without looking at their secrets.
CREATE INDEX auth_key_secrets_of_prefix ON auth_key_secrets (prefix, key_id) INCLUDE (expires_at);
DROP INDEX auth_key_secrets_prefix;

CREATE OR REPLACE FUNCTION auth_keys_begin_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auth_key_usage (key_id, created_at, expires_at, is_deactivated, terms)
    SELECT id, created_at, expires_at, deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(scopes, labels))
    FROM made ORDER BY id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE FUNCTION auth_keys_change_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE auth_key_usage
    SET created_at = NEW.created_at, expires_at = NEW.expires_at, is_deactivated = NEW.deactivated_at IS NOT NULL,
        terms = (SELECT bits FROM auth_key_terms(NEW.scopes, NEW.labels))
    WHERE key_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER auth_keys_change_usage AFTER UPDATE ON auth_keys FOR EACH ROW
    WHEN ((OLD.created_at, OLD.expires_at, OLD.deactivated_at, OLD.scopes, OLD.labels)
        IS DISTINCT FROM (NEW.created_at, NEW.expires_at, NEW.deactivated_at, NEW.scopes, NEW.labels))
    EXECUTE FUNCTION auth_keys_change_usage();
