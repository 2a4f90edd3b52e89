-- What triggers and lists call is PostgreSQL's own, as in 0009: where everybody may create in the schema of the tables (the default of
-- `public` up to version 14), a function or an operator that fits better than PostgreSQL's would run as whoever changes a key.

-- PostgreSQL takes this apart where it is called, for which it may have no settings: so all that it calls is named in full, with the
-- very types that it is made for.
CREATE OR REPLACE FUNCTION auth_key_terms(scopes text[], labels jsonb) RETURNS TABLE (bits bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.bit_or(
        (1::bigint << (hash & 63::bigint)::int4) | (1::bigint << ((hash >> 6) & 63::bigint)::int4)), 0::bigint)
    FROM (
        SELECT pg_catalog.hashtextextended('s'::text || scope, 0::bigint) AS hash FROM pg_catalog.unnest(scopes) scope
        UNION ALL SELECT pg_catalog.hashtextextended('n'::text || name, 0::bigint) FROM pg_catalog.jsonb_object_keys(labels) name
        UNION ALL SELECT pg_catalog.hashtextextended('v'::text || key || '='::text || value, 0::bigint)
            FROM pg_catalog.jsonb_each_text(labels) WHERE value IS NOT NULL
    ) terms
$$;

-- The triggers find PostgreSQL's before all, and the tables where the one is that was changed, whatever the path of who changes it.
CREATE OR REPLACE FUNCTION auth_keys_begin_usage() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    INSERT INTO auth_key_usage (key_id, created_at, expires_at, is_deactivated, terms)
    SELECT id, created_at, expires_at, deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(scopes, labels))
    FROM made ORDER BY id
    ON CONFLICT (key_id) DO UPDATE SET
        created_at = excluded.created_at, expires_at = excluded.expires_at, is_deactivated = excluded.is_deactivated,
        terms = excluded.terms;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth_keys_change_usage() RETURNS trigger
LANGUAGE plpgsql SET enable_seqscan = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
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

CREATE OR REPLACE FUNCTION auth_keys_end_usage() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    PERFORM FROM auth_key_usage WHERE key_id IN (SELECT id FROM gone) ORDER BY key_id FOR UPDATE;
    DELETE FROM auth_key_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_secret_usage u USING gone WHERE u.key_id = gone.id;
    DELETE FROM auth_key_usage_days u USING gone WHERE u.key_id = gone.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth_key_secrets_added() RETURNS trigger
LANGUAGE plpgsql SET enable_seqscan = off SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    IF EXISTS (
        SELECT FROM added
        WHERE (SELECT changed_xid FROM auth_keys WHERE id = added.key_id) <> pg_current_xact_id()
    ) THEN
        PERFORM FROM auth_keys WHERE id IN (SELECT key_id FROM added) ORDER BY id FOR NO KEY UPDATE;
        UPDATE auth_keys SET updated_at = clock_timestamp()
        WHERE id IN (SELECT key_id FROM added) AND changed_xid <> pg_current_xact_id();
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION auth_keys_bury() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
    INSERT INTO auth_key_tombstones (digest, key_id, version)
    SELECT digest, key_id, OLD.version + 1 FROM auth_key_secrets WHERE key_id = OLD.id
    ON CONFLICT (digest) DO UPDATE
        SET version = excluded.version, deleted_at = excluded.deleted_at, changed_xid = excluded.changed_xid;
    RETURN OLD;
END
$$;

CREATE OR REPLACE FUNCTION auth_key_secrets_stamp() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_version bigint;
BEGIN
    PERFORM set_config('search_path', format('pg_catalog, %I, pg_temp', TG_TABLE_SCHEMA), true);
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
