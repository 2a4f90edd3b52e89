public import AuthKeys
import AuthKeysPostgres
public import LibPQ
public import RequestLog
import Synchronization

/// The roll-ups in PostgreSQL, as one process writes them.
public final class PostgresTrafficStore: TrafficStore {
    private let pool: PostgresPool
    private let instance: @Sendable () -> String
    /// Identifies this process among those that write roll-ups.
    private let writer: PostgresUUID
    /// The number of the instance's name in the database.
    private let instanceNumber = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - pool: connections for the writes. The caller runs it.
    ///   - instance: the name of the instance. Evaluated at the first write.
    public init(pool: PostgresPool, instance: @autoclosure @escaping @Sendable () -> String) {
        self.pool = pool
        self.instance = instance
        writer = PostgresUUID(KeyID.generate())
    }

    public func write(_ batch: TrafficBatch) async throws(StoreError) {
        do {
            let number = try await number()
            let statement =
                switch batch.content {
                case .minutes(let counts): minutes(counts, batch.number, instance: number)
                case .hours(let counts): hours(counts, batch.number)
                }
            // One round trip, and one transaction.
            _ = try await pool.pipeline([PostgresStatement(RollupSQL.requireWhole), statement])
        } catch {
            // The database may be another one after the failure, such as a restored one without the name.
            instanceNumber.withLock { $0 = nil }
            throw StoreError(error)
        }
    }

    /// Returns the number of the instance. The first call also deletes the rows of processes that ended long ago.
    private func number() async throws -> Int32 {
        if let known = instanceNumber.withLock({ $0 }) { return known }
        _ = try await pool.query(RollupSQL.forgetWriters)
        let number = try await LogNames(instance: instance(), on: pool).instance
        instanceNumber.withLock { $0 = number }
        return number
    }

    private func minutes(_ counts: [MinuteCount], _ batch: Int64, instance: Int32) -> PostgresStatement {
        let sums = counts.map(\.sum)
        return PostgresStatement(
            RollupSQL.addMinutes,
            [
                .uuid(writer), .int64(batch), .int32(instance),
                .timestampArray(counts.map(\.startsAt.microseconds)),
                .int64Array(counts.map { Int64($0.group.surface.rawValue) }),
                .int64Array(counts.map { Int64($0.group.outcome.rawValue) }),
                .textArray(counts.map(\.group.code)), .int64Array(sums.map(\.requests)),
            ] + Self.amounts(sums))
    }

    private func hours(_ counts: [HourCount], _ batch: Int64) -> PostgresStatement {
        let outcomes = RequestOutcome.allCases.map { outcome in
            PostgresParameter.int64Array(counts.map { $0.totals.outcomes[outcome] })
        }
        return PostgresStatement(
            RollupSQL.addHours,
            [
                .uuid(writer), .int64(batch), .uuidArray(counts.map { PostgresUUID($0.group.keyID) }),
                .timestampArray(counts.map(\.startsAt.microseconds)),
            ] + outcomes + Self.amounts(counts.map(\.totals.sum)))
    }

    /// Returns bytes, durations and their buckets.
    private static func amounts(_ sums: [TrafficSum]) -> [PostgresParameter] {
        [
            .int64Array(sums.map(\.bytesIn)), .int64Array(sums.map(\.bytesOut)), .int64Array(sums.map(\.microseconds)),
            .int64Array(sums.flatMap { sum in (0..<DurationBuckets.count).map { sum.durations[$0] } }),
        ]
    }
}
