-- What 0011 made room for, of the keys that are there, and the indexes of it.
--
-- While it does, keys cannot be changed, nor use be written down; lists, keys and what changed can be read, and traffic goes on.
-- docs/operations.md says for how long.

-- All locks or none: see 0011.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    LOOP
        BEGIN
            LOCK TABLE auth_keys, auth_key_secrets, auth_key_usage, auth_key_secret_usage IN SHARE ROW EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'the tables of keys and their use were being written for ten minutes: try again while no long transaction or vacuum is at them'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

-- Use of keys that are gone, and keys whose use has no row.
DELETE FROM auth_key_usage u WHERE NOT EXISTS (SELECT FROM auth_keys k WHERE k.id = u.key_id);
DELETE FROM auth_key_secret_usage u WHERE NOT EXISTS (SELECT FROM auth_keys k WHERE k.id = u.key_id);
INSERT INTO auth_key_usage (key_id)
SELECT id FROM auth_keys k WHERE NOT EXISTS (SELECT FROM auth_key_usage u WHERE u.key_id = k.id);

UPDATE auth_key_usage u
SET created_at = k.created_at, expires_at = k.expires_at, is_deactivated = k.deactivated_at IS NOT NULL,
    terms = (SELECT bits FROM auth_key_terms(k.scopes, k.labels))
FROM auth_keys k WHERE k.id = u.key_id;

-- 0013 drops the one that it takes the place of, and gives it its name.
CREATE INDEX auth_key_usage_latest_terms
    ON auth_key_usage (last_used_at DESC NULLS LAST, key_id DESC) INCLUDE (terms, created_at);
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
