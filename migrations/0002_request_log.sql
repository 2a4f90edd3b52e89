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
