-- The request log and its roll-ups.
--
-- The log has a line for each request, unless it was sampled. Roll-ups count every request. Both are written in batches, and neither is
-- read to decide about a request.

-- One partition a day of UTC, made ahead and dropped by age and size. There is no default partition: it would have to be scanned
-- whenever another one is attached.
CREATE TABLE request_log (
    -- The time at which the head of the request had arrived.
    at timestamptz NOT NULL,
    -- Bytes of the bodies.
    bytes_in bigint NOT NULL,
    bytes_out bigint NOT NULL,
    -- From the head of the request to the end of the response.
    micros bigint NOT NULL,
    -- The first 48 bits are the time in milliseconds since the Unix epoch: a search by id needs no index on it.
    id uuid NOT NULL,
    key_id uuid,
    -- From sending the request to the upstream to the head of its response; null without a response.
    upstream_micros integer,
    -- The number of requests that the line stands for.
    weight integer NOT NULL DEFAULT 1,
    -- Rows of request_log_names.
    instance integer NOT NULL,
    upstream integer,
    status smallint NOT NULL,
    surface smallint NOT NULL,
    outcome smallint NOT NULL,
    flags smallint NOT NULL,
    method text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    query text COLLATE "C",
    code text COLLATE "C",
    address inet,
    agent text COLLATE "C",
    owner text COLLATE "C"
) PARTITION BY RANGE (at);

CREATE INDEX request_log_at ON request_log (at);
CREATE INDEX request_log_key ON request_log (key_id, at) WHERE key_id IS NOT NULL;
-- Whatever was not served: refusals, limits, failures, and error statuses of upstreams.
CREATE INDEX request_log_failed ON request_log (at) WHERE status >= 400;

-- Skips parts of the table without an address or an owner. PostgreSQL has bloom filters for BRIN from 14 on.
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 140000 THEN
        CREATE INDEX request_log_bloom ON request_log USING brin (address inet_bloom_ops, owner text_bloom_ops)
            WITH (pages_per_range = 32, autosummarize = on);
    END IF;
END
$$;

-- The names of instances and of upstreams, which lines refer to by number.
CREATE TABLE request_log_names (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('instance', 'upstream')),
    name text COLLATE "C" NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 512),
    UNIQUE (kind, name)
);

-- All requests that ended in a minute, by instance, entry point, outcome and code. Kept for 30 days.
CREATE TABLE request_minutes (
    minute timestamptz NOT NULL,
    instance integer NOT NULL,
    surface smallint NOT NULL,
    outcome smallint NOT NULL,
    code text COLLATE "C" NOT NULL DEFAULT '',
    requests bigint NOT NULL,
    bytes_in bigint NOT NULL,
    bytes_out bigint NOT NULL,
    micros bigint NOT NULL,
    -- Requests by duration: one count a bucket (DurationBuckets), the last one of longer requests than ten seconds.
    durations bigint[] NOT NULL,
    PRIMARY KEY (minute, instance, surface, outcome, code)
) WITH (fillfactor = 80);

-- All requests of a key that ended in an hour, by outcome. Kept for 400 days.
CREATE TABLE request_hours (
    key_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    allowed bigint NOT NULL,
    denied bigint NOT NULL,
    limited bigint NOT NULL,
    failed bigint NOT NULL,
    terminated bigint NOT NULL,
    bytes_in bigint NOT NULL,
    bytes_out bigint NOT NULL,
    micros bigint NOT NULL,
    durations bigint[] NOT NULL,
    PRIMARY KEY (key_id, hour)
) WITH (fillfactor = 80);

-- The last batch of roll-ups of each process that writes them. A batch is written in one transaction with its number, so that a process
-- repeats a batch whose result it did not receive, and each request is counted once.
CREATE TABLE request_rollup_writers (
    writer uuid PRIMARY KEY,
    batch bigint NOT NULL,
    written_at timestamptz NOT NULL
);

-- Hours that are old enough to be deleted.
CREATE INDEX request_hours_hour ON request_hours USING brin (hour);

-- The result of request_log_tend. The function finds its tables in the schema of this type, whatever the schema is called.
CREATE TYPE request_log_tended AS (
    -- Partitions that were made, and that were dropped.
    made integer,
    dropped integer,
    -- Partitions that could not be made or dropped, such as because of a lock.
    refused integer,
    -- True if another call would delete more.
    is_behind boolean,
    -- The size of all partitions with their indexes.
    bytes bigint,
    -- The last error other than a lock; null if there was none.
    problem text
);

-- Makes the partitions from yesterday to some days ahead, drops the oldest partition if it is due, and deletes old roll-ups. Returns nulls
-- while another session does so.
--
-- The function runs as the owner of the tables, so that the role of instances needs no right to delete. Whatever its arguments, it keeps
-- the lines of the last 24 hours from the age limit, and today's lines from the size limit. Zero, null and negative values mean no limit.
--
-- No lock makes a COPY wait for more than 200 ms. Attaching takes SHARE UPDATE EXCLUSIVE, which a COPY does not wait for, and scans an empty
-- table. A drop takes ACCESS EXCLUSIVE on the log, and new COPYs wait while it waits. So each lock is waited for 100 ms at most, the
-- partition is locked before the log, and the drop of one partition is the last step before the end of the transaction.
CREATE FUNCTION request_log_tend(days_ahead integer, days_kept integer, bytes_kept bigint, OUT tended request_log_tended)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' SET default_tablespace = ''
AS $$
DECLARE
    -- The upper and lower bound of a partition, if they are times.
    bounds CONSTANT text := $query$
        SELECT c.oid, pg_total_relation_size(c.oid) AS bytes, (b.texts)[1]::timestamptz AS lower, (b.texts)[2]::timestamptz AS upper
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL (SELECT regexp_match(
            pg_get_expr(c.relpartbound, c.oid), $re$^FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)$re$) AS texts) b
        WHERE i.inhparent = $1
        $query$;
    roll_ups_a_call CONSTANT integer := 20000;
    today CONSTANT timestamptz := date_trunc('day', clock_timestamp());
    days_before CONSTANT interval := make_interval(days => least(days_kept, 36500));
    room name;
    log oid;
    space text;
    day timestamptz;
    partition text;
    grantee oid;
    oldest record;
    is_covered boolean;
    deleted bigint;
    old_roll_ups record;
BEGIN
    SELECT n.nspname, c.oid, coalesce('TABLESPACE ' || quote_ident(s.spcname), '') INTO room, log, space
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'request_log' AND c.relkind = 'p'
        AND pg_has_role(current_user, c.relowner, 'USAGE')
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
    WHERE t.oid = pg_typeof(tended);
    IF log IS NULL THEN RAISE undefined_table USING MESSAGE = 'there is no request log'; END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('keyward request_log_tend', log::bigint)) THEN
        tended := NULL;
        RETURN;
    END IF;
    tended := ROW(0, 0, 0, false, NULL, NULL);
    EXECUTE format('SELECT coalesce(sum(bytes), 0) FROM (%s) p', bounds) INTO tended.bytes USING log;

    FOR day IN SELECT generate_series(
        today - interval '1 day', today + make_interval(days => greatest(0, least(coalesce(days_ahead, 0), 14))), interval '1 day')
    LOOP
        -- The size limit would drop yesterday's partition again.
        CONTINUE WHEN day < today AND bytes_kept > 0 AND tended.bytes > bytes_kept;
        EXECUTE format('SELECT EXISTS (SELECT FROM (%s) p WHERE lower < $2 + interval ''1 day'' AND upper > $2)', bounds)
            INTO is_covered USING log, day;
        CONTINUE WHEN is_covered;
        BEGIN
            partition := format('%I.%I', room, 'request_log_' || to_char(day, 'YYYYMMDD'));
            EXECUTE format('CREATE TABLE %s (LIKE %I.request_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) %s',
                partition, room, space);
            EXECUTE format('ALTER TABLE %I.request_log ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                room, partition, day, day + interval '1 day');
            -- Default privileges of the schema must not make a line changeable.
            FOR grantee IN
                SELECT DISTINCT a.grantee FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
                WHERE c.oid = partition::regclass AND a.grantee <> c.relowner
            LOOP
                EXECUTE format('REVOKE ALL ON %s FROM %s', partition,
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END);
            END LOOP;
            tended.made := tended.made + 1;
        EXCEPTION
            WHEN lock_not_available THEN tended.refused := tended.refused + 1;
            WHEN OTHERS THEN
                tended.refused := tended.refused + 1;
                tended.problem := format('%s: %s', SQLSTATE, SQLERRM);
        END;
    END LOOP;
    EXECUTE format('SELECT coalesce(sum(bytes), 0) FROM (%s) p', bounds) INTO tended.bytes USING log;

    FOR old_roll_ups IN
        SELECT * FROM (VALUES ('request_minutes', 'minute', 30), ('request_hours', 'hour', 400)) r (relation, moment, days)
    LOOP
        BEGIN
            EXECUTE format($query$
                DELETE FROM %1$I.%2$I WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM %1$I.%2$I WHERE %3$I < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
                $query$, room, old_roll_ups.relation, old_roll_ups.moment)
                USING clock_timestamp() - make_interval(days => old_roll_ups.days), roll_ups_a_call;
            GET DIAGNOSTICS deleted = ROW_COUNT;
            tended.is_behind := tended.is_behind OR deleted = roll_ups_a_call;
        EXCEPTION
            WHEN lock_not_available THEN NULL;
            WHEN OTHERS THEN tended.problem := format('%s: %s', SQLSTATE, SQLERRM);
        END;
    END LOOP;

    EXECUTE format('SELECT oid::regclass::text AS name, bytes, upper FROM (%s) p WHERE upper <= $2 ORDER BY upper LIMIT 1', bounds)
        INTO oldest USING log, today;
    IF days_kept > 0 AND oldest.upper <= clock_timestamp() - days_before OR bytes_kept > 0 AND tended.bytes > bytes_kept
        AND oldest.name IS NOT NULL
    THEN
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', oldest.name);
            EXECUTE format('DROP TABLE %s', oldest.name);
            tended.dropped := 1;
            tended.bytes := tended.bytes - oldest.bytes;
            tended.is_behind := true;
        EXCEPTION
            WHEN lock_not_available THEN tended.refused := tended.refused + 1;
            WHEN OTHERS THEN
                tended.refused := tended.refused + 1;
                tended.problem := format('%s: %s', SQLSTATE, SQLERRM);
        END;
    END IF;
END
$$;

REVOKE EXECUTE ON FUNCTION request_log_tend(integer, integer, bigint) FROM PUBLIC;
