import AuthKeys
import LibPQ

/// The times that the log has partitions for.
struct LogDays: Sendable {
    private let ranges: [Range<Timestamp>]
    /// The clock of the database.
    let now: Timestamp

    /// Reads the partitions of the log.
    init(on pool: PostgresPool) async throws(PostgresError) {
        let result = try await pool.query(
            """
            SELECT clock_timestamp(), p.lower IS NOT NULL, coalesce(p.lower, now()), coalesce(p.upper, now())
            FROM (SELECT) one LEFT JOIN (\(LogPartition.query)) p ON true
            """)
        var ranges: [Range<Timestamp>] = []
        var now = Timestamp.now
        for row in result.rows {
            now = Timestamp(microseconds: try row.timestamp(0))
            guard try row.bool(1) else { continue }
            let (lower, upper) = (try row.timestamp(2), try row.timestamp(3))
            ranges.append(Timestamp(microseconds: lower)..<Timestamp(microseconds: max(lower, upper)))
        }
        self.ranges = ranges
        self.now = now
    }

    func contains(_ time: Timestamp) -> Bool { ranges.contains { $0.contains(time) } }
}
