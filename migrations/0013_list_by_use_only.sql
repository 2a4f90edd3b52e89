-- The indexes that those of 0012 take the place of are dropped, and the days of keys that are gone.

-- Before the locks: there may be many days, and nobody else writes those.
DELETE FROM auth_key_usage_days u WHERE NOT EXISTS (SELECT FROM auth_keys k WHERE k.id = u.key_id);

-- All locks or none: see 0011. Here they are had for milliseconds.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    LOOP
        BEGIN
            LOCK TABLE auth_key_usage, auth_key_secrets IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'auth_key_usage and auth_key_secrets were in use for ten minutes: try again while no long transaction, dump or vacuum is at them'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

DROP INDEX auth_key_usage_latest;
ALTER INDEX auth_key_usage_latest_terms RENAME TO auth_key_usage_latest;
DROP INDEX auth_key_secrets_prefix;
