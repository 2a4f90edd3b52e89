import AuthKeys

/// The statements about levels and slots. Rows are locked in the order of their ids.
enum LimitSQL {
    /// The table of levels: rates are lost in a crash of the database, quotas are not.
    static func table(_ kind: LevelKind) -> String {
        switch kind {
        case .rate: "limit_levels"
        case .quota: "limit_quotas"
        }
    }

    /// Inserts the rows that are missing.
    static func insert(_ kind: LevelKind) -> String {
        """
        INSERT INTO \(table(kind)) (id, level, at, wanted, full_at)
        SELECT id, 0, clock_timestamp(), 0, clock_timestamp() FROM unnest($1::uuid[]) AS t (id) ORDER BY id
        ON CONFLICT DO NOTHING
        """
    }

    /// Debits and leases units, and returns what is left.
    ///
    /// `now` is read before the wait for the lock of a row, and may be earlier than the last change of the row. So the
    /// time of a row never goes back: units would otherwise return twice.
    ///
    /// The demand of other instances is zero once it is negligible, because PostgreSQL refuses results too small for
    /// `double precision`.
    static func settle(_ kind: LevelKind) -> String {
        let (aged, full, ends) =
            switch kind {
            case .rate:
                (
                    "greatest(0, old - rate * dt)",
                    "greatest(d.was, d.now) + make_interval(secs => least(1e9, (d.level1 + d.granted) / d.rate))",
                    "NULL::float8"
                )
            case .quota:
                (
                    "CASE WHEN was < \(CalendarSQL.start("period", at: "now")) THEN 0 ELSE old END",
                    CalendarSQL.end("d.period", at: "d.now"),
                    "extract(epoch FROM \(CalendarSQL.end("d.period", at: "d.now")) - d.now)::float8"
                )
            }
        return """
            WITH q AS MATERIALIZED (
                SELECT *, clock_timestamp() AS now
                FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
                    $8::float8[], $9::float8[])
                    AS t (id, period, rate, burst, tau, debit, want, asked, demand)
            ), held AS MATERIALIZED (
                SELECT l.* FROM \(table(kind)) l WHERE l.id = ANY ($1) ORDER BY l.id FOR NO KEY UPDATE
            ), aged AS MATERIALIZED (
                SELECT q.*, greatest(0, extract(epoch FROM q.now - h.at))::float8 AS dt, h.at AS was, h.level AS old,
                    h.wanted AS wants
                FROM q JOIN held h USING (id)
            ), next AS MATERIALIZED (
                SELECT *, CASE WHEN dt > 50 * tau OR wants < 1e-9 THEN 0 ELSE wants * exp(-dt / tau) END + asked AS wanted1,
                    debit + \(aged) AS level1
                FROM aged
            ), shared AS MATERIALIZED (
                SELECT *, least(1, demand / greatest(wanted1, 1e-9)) AS share FROM next
            ), done AS MATERIALIZED (
                SELECT *, CASE WHEN want < 0 THEN greatest(want, -level1) WHEN burst - level1 < 1 THEN 0
                    ELSE least(want, greatest(1, floor((burst - level1) * share))) END AS granted
                FROM shared
            )
            UPDATE \(table(kind)) l SET level = d.level1 + d.granted, at = greatest(d.was, d.now), wanted = d.wanted1,
                full_at = \(full)
            FROM done d WHERE l.id = d.id
            RETURNING l.id, d.granted, d.burst - l.level, d.share, \(ends)
            """
    }

    /// Deletes some rows that equal missing ones. Rows in use are left for the next time.
    static func prune(_ kind: LevelKind) -> String {
        prune(table(kind), where: "full_at < clock_timestamp() - interval '1 minute'")
    }

    static let pruneSlots = prune("limit_slots", where: "at < clock_timestamp() - interval '1 minute'")

    /// The maximum number of rows that one statement deletes.
    static let pruneLimit = 10_000

    private static func prune(_ table: String, where condition: String) -> String {
        """
        DELETE FROM \(table) WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM \(table) WHERE \(condition) LIMIT \(pruneLimit) FOR UPDATE SKIP LOCKED))
        """
    }

    /// Inserts or updates a row for each concurrency limit, which locks the limit until the end of the transaction.
    static let holdSlots = """
        INSERT INTO limit_levels AS l (id, level, at, wanted, full_at)
        SELECT id, 0, clock_timestamp(), 0, clock_timestamp() FROM unnest($1::uuid[]) AS t (id) ORDER BY id
        ON CONFLICT (id) DO UPDATE SET at = excluded.at, full_at = excluded.full_at
        """

    /// Renews the slots of an instance `$4`: as many as it wants, and as other live instances leave.
    static let renewSlots = """
        WITH q AS MATERIALIZED (
            SELECT t.*, COALESCE((
                SELECT sum(s.slots) FROM limit_slots s
                WHERE s.id = t.id AND s.instance <> $4 AND s.at > clock_timestamp() - interval '\(slotSeconds) seconds'
            ), 0)::int8 AS others
            FROM unnest($1::uuid[], $2::int8[], $3::int8[]) AS t (id, units, want)
        ), done AS MATERIALIZED (
            SELECT *, greatest(0, least(want, units - others)) AS granted FROM q
        ), gone AS (
            DELETE FROM limit_slots s USING done d WHERE s.id = d.id AND s.instance = $4 AND d.granted = 0
        ), kept AS (
            INSERT INTO limit_slots (id, instance, slots, at)
            SELECT id, $4, granted, clock_timestamp() FROM done WHERE granted > 0
            ON CONFLICT (id, instance) DO UPDATE SET slots = excluded.slots, at = excluded.at
        )
        SELECT id, granted, others FROM done
        """

    /// The time for which slots count after their renewal.
    private static let slotSeconds = 10

    static let revision = "SELECT value FROM limit_revision"
    static let plans = "SELECT name, limits::text FROM limit_plans ORDER BY name"
    static let owners = "SELECT owner, limits::text FROM owner_limits ORDER BY owner"
}
