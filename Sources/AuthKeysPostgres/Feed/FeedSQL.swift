import AuthKeys

/// The statements of the change feed. Values are inserted as text, because COPY accepts no parameters. Keyward
/// generates all of them: numbers and UUIDs.
package enum FeedSQL {
    /// Returns the statement for all changes since a watermark: one row for the state of the feed, and one row per
    /// secret. Nil means all keys.
    static func changes(since watermark: Watermark?) -> String {
        let changed = "changed_xid >= '\(watermark?.position ?? 0)'::xid8"
        return copy(since: watermark, keys: "k.\(changed)", tombstones: changed)
    }

    /// Returns the statement for all secrets in a range of digests. Tombstones are not needed: a secret that is in
    /// memory but not in the table shows up without them.
    static func entries(in range: DigestRange, since watermark: Watermark) -> String {
        var condition = "s.digest >= \(bytes(range.lowerBound))"
        if let upper = range.upperBound { condition += " AND s.digest < \(bytes(upper))" }
        return copy(since: watermark, keys: condition, tombstones: "false")
    }

    /// The fields of the state are separated by `|`, which none of them contains. `ChangeReader` reads them in this
    /// order.
    private static func copy(since watermark: Watermark?, keys: String, tombstones: String) -> String {
        """
        COPY (
            WITH feed AS MATERIALIZED (\(state(since: watermark)))
            SELECT \(EntryRow.nullColumns),
                concat_ws('|', history, GREATEST(next::text::bigint, checkpoint_next), checkpoint, checkpoint_next, durable_log, server_start, session, number, epoch, knows,
                    instruction), position
            FROM feed
            UNION ALL
            SELECT \(EntryRow.secretColumns), NULL, NULL FROM auth_keys k JOIN auth_key_secrets s ON s.key_id = k.id
            WHERE (SELECT is_whole FROM feed) AND \(keys)
            UNION ALL
            SELECT \(EntryRow.tombstoneColumns), NULL, NULL FROM auth_key_tombstones
            WHERE (SELECT is_whole FROM feed) AND \(tombstones)
        ) TO STDOUT (FORMAT binary)
        """
    }

    /// The identity of the database. It changes with a failover, another cluster, another database or replaced tables.
    static let history = """
        (SELECT system_identifier::text FROM pg_control_system()) || '/' || CASE WHEN pg_is_in_recovery()
            THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END || '/' ||
        (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || 'auth_keys'::regclass::oid || '/' ||
        'auth_key_secrets'::regclass::oid || '/' || 'auth_key_tombstones'::regclass::oid || '/' || 'feed_epochs'::regclass::oid
        """

    /// A backend's process id and start time. Two sessions never have both in common, even across a crash of the
    /// server.
    private static let session = """
        pg_backend_pid() || '@' || COALESCE((
            SELECT extract(epoch FROM backend_start)::text FROM pg_stat_get_activity(pg_backend_pid())
        ), '')
        """

    private static func state(since watermark: Watermark?) -> String {
        let epoch = watermark?.epoch
        let (number, name) = (epoch?.number ?? 0, epoch?.name ?? "00000000-0000-0000-0000-000000000000")
        let knows =
            epoch == nil ? "true" : "EXISTS (SELECT FROM feed_epochs WHERE id = \(number) AND epoch = '\(name)')"
        let orders =
            watermark == nil
            ? "NULL"
            : """
            (SELECT CASE WHEN bool_or(o.instruction = 'accept' AND o.history = s.history
                    AND o.created_at > clock_timestamp() - interval '10 minutes') THEN 'accept' ELSE min(o.instruction) END
                FROM feed_epochs o WHERE o.instruction IS NOT NULL AND (o.id > \(number) OR NOT s.knows)
                    AND (o.instruction = 'resync' OR o.history = s.history
                        AND o.created_at > clock_timestamp() - interval '10 minutes'))
            """
        return """
            SELECT s.*, \(orders) AS instruction, require_whole_database('auth_keys'::regclass) AS is_whole
            FROM (
                SELECT \(history) AS history, pg_snapshot_xmin(now.snapshot) AS position, pg_snapshot_xmax(now.snapshot) AS next,
                    c.checkpoint_lsn || '@' || extract(epoch FROM c.checkpoint_time) AS checkpoint,
                    (split_part(c.next_xid, ':', 1)::bigint << 32) + split_part(c.next_xid, ':', 2)::bigint AS checkpoint_next,
                    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() - '0/0' ELSE 0 END AS durable_log,
                    extract(epoch FROM pg_postmaster_start_time()) AS server_start, \(session) AS session, newest.id AS number, newest.epoch, \(knows) AS knows
                FROM pg_control_checkpoint() c, (SELECT pg_current_snapshot() AS snapshot) now
                LEFT JOIN LATERAL (SELECT id, epoch FROM feed_epochs ORDER BY id DESC LIMIT 1) newest ON true
            ) s
            """
    }

    /// Without a backslash, which the session may interpret as an escape: the statement is parsed before its settings
    /// apply.
    private static func bytes(_ bytes: [UInt8]) -> String {
        "decode('\(Hex.text(bytes))', 'hex')"
    }

    /// Inserts an epoch, unless there is one from the last minute. Removes epochs that are older than a week, except
    /// the newest.
    static let mark = """
        WITH old AS (
            DELETE FROM feed_epochs WHERE created_at < clock_timestamp() - interval '7 days'
                AND id < (SELECT max(id) FROM feed_epochs)
        )
        INSERT INTO feed_epochs (epoch)
        SELECT gen_random_uuid() WHERE require_whole_database('auth_keys'::regclass) AND NOT EXISTS (
            SELECT FROM feed_epochs WHERE id = (SELECT max(id) FROM feed_epochs)
                AND created_at BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp())
        """

    /// Inserts an order for all instances.
    package static let order = "INSERT INTO feed_epochs (instruction, history) SELECT $1, \(history)"

    static let find = """
        SELECT \(EntryRow.secretColumns) FROM auth_key_secrets s JOIN auth_keys k ON k.id = s.key_id
        WHERE s.digest = ANY ($1)
        """

    static let schemes = "SELECT prefix, algorithm, part FROM auth_key_schemes"

    /// Replaces transaction ids from the future. They occur after a dump is restored, where ids begin again. Such rows
    /// would be read again forever, and would hide changes.
    static let restamp = """
        WITH future AS (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid), keys AS (
            UPDATE auth_keys SET changed_xid = pg_current_xact_id() WHERE changed_xid > (SELECT xid FROM future)
        )
        UPDATE auth_key_tombstones SET changed_xid = pg_current_xact_id() WHERE changed_xid > (SELECT xid FROM future)
        """
}
