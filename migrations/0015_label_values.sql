-- Lists by a label and its value: they took 20 ms of a million keys, since the index of labels knows names and values, not which
-- belong together. Now values have an index of their own, and names one that nothing else is found by. 0016 takes the one before away.
--
-- While it does, keys cannot be changed; lists, keys and what changed can be read, and traffic goes on. docs/operations.md says for
-- how long. Instances of the version before go on beside this one.

-- Not at any price at once: see 0011. One lock alone makes no circle, so that it may be waited for longer and longer, up to 3 s: also
-- for a vacuum, which gives way after a second.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
    patience int := 200;
BEGIN
    LOOP
        PERFORM set_config('lock_timeout', patience::text, true);
        BEGIN
            LOCK TABLE auth_keys IN SHARE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'auth_keys was being written for ten minutes: try again while no long transaction or vacuum is at it'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        patience := least(patience + 100, 3000);
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

CREATE INDEX auth_keys_labels ON auth_keys USING gin (labels jsonb_path_ops);

-- By what is the same: so that the planner, to which both indexes cost the same, does not look for values here.
CREATE INDEX auth_keys_names_of_labels ON auth_keys USING gin ((labels || '{}'::jsonb));

-- What the planner knows of names, it knows from here on of that index.
ANALYZE auth_keys;
