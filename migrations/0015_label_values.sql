-- Lists by a label and its value: they took 20 ms of a million keys, since the index of labels knows names and values, not which
-- belong together. Now values have an index of their own, and names one that nothing else is found by. 0016 takes the one before away.
--
-- While it does, keys cannot be changed; lists, keys and what changed can be read, and traffic goes on. docs/operations.md says for
-- how long. Instances of the version before go on beside this one.

-- Not for longer than it may be had soon: see 0011.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    LOOP
        BEGIN
            LOCK TABLE auth_keys IN SHARE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'auth_keys was being written for ten minutes: try again while no long transaction or vacuum is at it'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

CREATE INDEX auth_keys_labels ON auth_keys USING gin (labels jsonb_path_ops);

-- By what is the same: so that the planner, to which both indexes cost the same, does not look for values here.
CREATE INDEX auth_keys_names_of_labels ON auth_keys USING gin ((labels || '{}'::jsonb));
