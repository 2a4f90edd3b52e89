import AuthKeys

/// The statements about instances. The table is unlogged: a heartbeat waits for no disk.
enum InstanceSQL {
    /// Inserts or updates the row of an instance. Returns the number of live instances. The statement does not see its
    /// own row, hence the 1. `statement_timestamp()` is the same throughout, so that `seen - synced` is the reported
    /// age.
    static let record = """
        INSERT INTO instances (id, name, version, kind, started, seen, synced, applied, live)
        VALUES ($1, $2, $3, $4, statement_timestamp() - make_interval(secs => $5), statement_timestamp(),
            statement_timestamp() - make_interval(secs => $6), $7, $8)
        ON CONFLICT (id) DO UPDATE SET
            seen = excluded.seen, synced = excluded.synced, applied = excluded.applied, live = excluded.live
        RETURNING 1 + (SELECT count(*) FROM instances o WHERE o.id <> $1 AND \(isLive("o.seen")))
        """

    static let remove = "DELETE FROM instances WHERE id = $1"

    /// A row from the future was written before the clock of the database was set back.
    static let removeOld = """
        DELETE FROM instances
        WHERE seen NOT BETWEEN statement_timestamp() - interval '5 minutes' AND statement_timestamp() + interval '5 minutes'
        """

    /// Returns the instances. The changes that an instance lacked are those between its last read and its heartbeat, of
    /// transactions that its position does not cover. The position alone would count changes twice: it waits for the
    /// oldest transaction that runs.
    static let list = """
        WITH recent AS MATERIALIZED (
            (SELECT changed_xid, updated_at AS at FROM auth_keys ORDER BY changed_xid DESC LIMIT \(InstanceRecord.lagLimit))
            UNION ALL
            (SELECT changed_xid, deleted_at FROM auth_key_tombstones
                ORDER BY changed_xid DESC LIMIT \(InstanceRecord.lagLimit))
        )
        SELECT id, name, version, kind, started, seen, \(isLive("seen")) AS is_live, synced, applied,
            LEAST(\(InstanceRecord.lagLimit), (SELECT count(*) FROM recent r
                WHERE r.changed_xid >= i.applied AND r.at > i.synced AND r.at <= i.seen)), live
        FROM instances i ORDER BY is_live DESC, name, started, id LIMIT \(InstanceRecord.listLimit)
        """

    static let live = """
        SELECT name, version FROM instances WHERE \(isLive("seen")) ORDER BY name, id LIMIT \(InstanceRecord.listLimit)
        """

    /// The condition that a heartbeat is recent. A time far in the future is not: the clock of the database was set
    /// back.
    private static func isLive(_ seen: String) -> String {
        let interval = "interval '\(InstanceHeartbeat.liveTime.components.seconds) seconds'"
        return "\(seen) BETWEEN statement_timestamp() - \(interval) AND statement_timestamp() + \(interval)"
    }
}
