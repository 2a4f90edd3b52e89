-- The running instances.
--
-- Each instance writes its row every 5 s and deletes it at graceful shutdown. It counts as live until 10 s after the last heartbeat. All
-- times are those of PostgreSQL, so the clocks of the instances do not matter.
--
-- The table is unlogged, because its rows are worth nothing after 10 s: a heartbeat writes no log and waits for no disk. After a crash of
-- PostgreSQL, and after a failover, the table is empty until the next heartbeats. A standby cannot read it.
--
-- There is no index but that of the primary key, and pages have much free space: so an update writes no index, and the dead rows of a page
-- are removed by the next update (PostgreSQL manual, "Heap-Only Tuples").
CREATE UNLOGGED TABLE instances (
    -- Generated at each start of a process.
    id uuid PRIMARY KEY,
    -- The same after a restart. Two instances may have the same.
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    version text COLLATE "C" NOT NULL CHECK (char_length(version) BETWEEN 1 AND 64),
    -- serve: 'keyward serve'. middleware: an app that verifies keys in its own process.
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('serve', 'middleware')),
    started timestamptz NOT NULL,
    -- The last heartbeat.
    seen timestamptz NOT NULL,
    -- The start of the last successful read of the changes before that heartbeat; null before the first read.
    synced timestamptz,
    -- All changes of older transactions are in the index of the instance; null before the first load.
    applied xid8,
    -- Figures of the instance at that heartbeat.
    live jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(live) = 'object' AND octet_length(live::text) <= 16384)
) WITH (fillfactor = 30);
