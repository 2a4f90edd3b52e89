-- The index of labels that 0015 has made others for. Instances of the version before list keys by the name of a label without one from
-- here on.

-- See 0015. Here it is had for milliseconds.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
    patience int := 200;
BEGIN
    LOOP
        PERFORM set_config('lock_timeout', patience::text, true);
        BEGIN
            LOCK TABLE auth_keys IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'auth_keys was in use for ten minutes: try again while no long transaction, dump or vacuum is at it'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        patience := least(patience + 100, 3000);
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

DROP INDEX auth_keys_label_names;
ALTER INDEX auth_keys_names_of_labels RENAME TO auth_keys_label_names;
