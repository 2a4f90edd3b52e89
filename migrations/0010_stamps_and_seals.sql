-- A secret that is added by hand is a change of its key, and the chain takes only seals that are right.
--
-- Instances of the version before go on beside this one: what they write is what is asked for here.

-- Keys that this transaction made or changed are stamped already, so that making and importing keys costs a look into an index: that
-- one, whatever the table was like when the plan was made. The others are changed in one order, so that nobody waits in a circle.
CREATE FUNCTION auth_key_secrets_added() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
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

CREATE TRIGGER auth_key_secrets_added AFTER INSERT ON auth_key_secrets
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION auth_key_secrets_added();

-- Whoever may add seals can add none that breaks the chain: each has to be the next link, of an event whose transaction is over,
-- hashed as `AuditSeal` does it; and none may say of an event that it is sealed that is not. All are looked at in one statement.
CREATE FUNCTION audit_seals_check() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- The link before the new ones. Its horizon is 0 if the numbers of transactions do not say which events are sealed: where the
    -- chain begins, and until all that came from another cluster is sealed.
    head record;
    -- The last of the new ones, as far as it says what is sealed.
    tail record;
    are_links boolean;
    leave_out boolean;
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN RETURN NULL; END IF;

    EXECUTE format($query$
        SELECT c.history, COALESCE(s.seq, 0) AS seq, s.hash,
            CASE WHEN s.history = c.history THEN s.horizon ELSE '0' END AS horizon,
            CASE WHEN s.history = c.history AND e.xid = s.horizon THEN e.id ELSE 0 END AS event
        FROM (SELECT system_identifier::text AS history FROM pg_control_system()) c
        LEFT JOIN (
            SELECT * FROM %1$I.audit_seals WHERE seq < (SELECT min(seq) FROM added) ORDER BY seq DESC LIMIT 1
        ) s ON true
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        $query$, TG_TABLE_SCHEMA) INTO head;

    EXECUTE format($query$
        SELECT bool_and(COALESCE(
            s.seq = $1 + s.place AND s.history = $4
            AND s.sealed_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp()
            AND s.horizon BETWEEN s.horizon_before AND pg_snapshot_xmin(pg_current_snapshot())
            AND e.xid >= s.horizon_before
            AND (e.xid < pg_snapshot_xmin(pg_current_snapshot())
                OR $3 = '0' AND e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
            AND s.hash = h.hash, false))
        FROM (
            SELECT *, row_number() OVER chain AS place, lag(hash, 1, $2) OVER chain AS hash_before,
                lag(horizon, 1, $3) OVER chain AS horizon_before
            FROM added WINDOW chain AS (ORDER BY seq)
        ) s
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        CROSS JOIN LATERAL (
            SELECT sha256(string_agg(
                CASE WHEN field IS NULL THEN '\x00' ELSE '\x01' || int8send(octet_length(field)) || field END, '' ORDER BY n)) AS hash
            FROM unnest(ARRAY[
                convert_to('keyward audit 1', 'UTF8'), s.hash_before, int8send(s.seq),
                int8send((extract(epoch FROM s.sealed_at) * 1000000)::bigint), xid8send(s.horizon), convert_to(s.history, 'UTF8'),
                int8send(e.id), int8send((CASE
                    WHEN e.at = 'infinity' THEN 9223372036854775807 WHEN e.at = '-infinity' THEN -9223372036854775808
                    ELSE extract(epoch FROM e.at) * 1000000 END)::bigint), xid8send(e.xid),
                convert_to(e.actor, 'UTF8'), convert_to(e.actor_name, 'UTF8'), convert_to(e.address, 'UTF8'),
                convert_to(e.request_id, 'UTF8'), convert_to(e.action, 'UTF8'), uuid_send(e.key_id), convert_to(e.owner, 'UTF8'),
                convert_to(e.outcome, 'UTF8'), convert_to(e.code, 'UTF8'), convert_to(e.changes::text, 'UTF8')
            ]) WITH ORDINALITY f (field, n)
        ) h
        $query$, TG_TABLE_SCHEMA) INTO are_links USING head.seq, head.hash, head.horizon, head.history;

    EXECUTE format($query$
        SELECT s.seq, s.horizon, CASE WHEN e.xid = s.horizon THEN e.id ELSE 0 END AS event
        FROM (SELECT * FROM %1$I.audit_seals ORDER BY seq DESC LIMIT 1) s
        LEFT JOIN %1$I.audit_events e ON e.id = s.event_id
        $query$, TG_TABLE_SCHEMA) INTO tail;

    EXECUTE format($query$
        SELECT EXISTS (
            SELECT FROM %1$I.audit_events e
            WHERE (e.xid, e.id) > ($1, $2) AND (e.xid, e.id) <= ($3, $4)
                AND NOT EXISTS (SELECT FROM %1$I.audit_seals s WHERE s.event_id = e.id))
        $query$, TG_TABLE_SCHEMA) INTO leave_out USING head.horizon, head.event, tail.horizon, tail.event;

    IF NOT are_links OR leave_out OR tail.seq <> (SELECT max(seq) FROM added) THEN
        RAISE EXCEPTION 'this does not continue the chain of the audit trail' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_seals_check AFTER INSERT ON audit_seals
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_seals_check();
