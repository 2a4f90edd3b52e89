-- Lists that took long: those by use, and those of keys that ended.
--
-- What such lists need to know of a key, `auth_key_usage` holds beside the moment of the last use, so that an index answers by
-- itself. Triggers keep it, whoever changes the key; use writes none of it. 0012 fills it in for the keys that are there.
--
-- Instances of the version before go on beside this one.

-- Takes all locks in front, and lets go of them where one is not to be had soon: so nobody queues up for long behind a lock that
-- waits, and a circle ends here, before PostgreSQL looks for one (`deadlock_timeout`, 1 s) and ends somebody else. Not to wait at all
-- would be to wait for a moment without traffic. Here they are had for milliseconds.
DO $$
DECLARE
    last_try timestamptz := clock_timestamp() + interval '10 minutes';
    limit_before text := current_setting('lock_timeout');
BEGIN
    PERFORM set_config('lock_timeout', '200ms', true);
    LOOP
        BEGIN
            LOCK TABLE auth_keys IN SHARE ROW EXCLUSIVE MODE;
            LOCK TABLE auth_key_usage IN ACCESS EXCLUSIVE MODE;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF clock_timestamp() > last_try THEN
                RAISE EXCEPTION 'auth_keys and auth_key_usage were in use for ten minutes: try again while no long transaction, dump or vacuum is at them'
                    USING ERRCODE = 'object_in_use';
            END IF;
        END;
        PERFORM pg_sleep(0.1 + random() * 0.1);
    END LOOP;
    PERFORM set_config('lock_timeout', limit_before, true);
END
$$;

-- The bits of scopes and labels: two of 64 for each. A label counts by its name, and by its name and value. A table, because
-- PostgreSQL takes such a function apart, which makes it cheap.
CREATE FUNCTION auth_key_terms(scopes text[], labels jsonb) RETURNS TABLE (bits bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(bit_or((1::bigint << (hash & 63)::int) | (1::bigint << ((hash >> 6) & 63)::int)), 0)
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

-- A row may be there already, where use was written down while a key of that id went away.
CREATE OR REPLACE FUNCTION auth_keys_begin_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auth_key_usage (key_id, created_at, expires_at, is_deactivated, terms)
    SELECT id, created_at, expires_at, deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(scopes, labels))
    FROM made ORDER BY id
    ON CONFLICT (key_id) DO UPDATE SET
        created_at = excluded.created_at, expires_at = excluded.expires_at, is_deactivated = excluded.is_deactivated,
        terms = excluded.terms;
    RETURN NULL;
END
$$;

-- One row after the other, in the order in which use is written down, so that nobody waits in a circle. What a row is found by is
-- its id, by the index, whatever the table was like when the plan was made; and EXCEPT is never a loop in a loop, be they millions.
CREATE FUNCTION auth_keys_change_usage() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    changed record;
BEGIN
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

-- In the same order.
CREATE OR REPLACE FUNCTION auth_keys_end_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM auth_key_usage WHERE key_id IN (SELECT id FROM gone) ORDER BY key_id FOR UPDATE;
    DELETE FROM auth_key_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_secret_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_usage_days u USING gone WHERE u.key_id = gone.id;
    RETURN NULL;
END
$$;
