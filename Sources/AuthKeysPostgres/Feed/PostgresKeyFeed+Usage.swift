import AuthKeys
import LibPQ

extension PostgresKeyFeed {
    /// Records usage in one transaction. PostgreSQL ends it without waiting for this instance, because changes of the
    /// keys wait for it.
    static func record(_ counts: [UsageCount], on pool: PostgresPool) async throws {
        let keys = totals(counts) { $0.keyID }
        let secrets = totals(counts) { $0.digest }
        _ = try await pool.pipeline([
            PostgresStatement(UsageSQL.requireWhole),
            PostgresStatement(
                UsageSQL.recordKeys,
                [
                    .uuidArray(keys.map { PostgresUUID($0.keyID) }), moments(keys),
                    .textArray(keys.map { $0.address?.description }), .textArray(keys.map(\.agent)), requests(keys),
                ]),
            PostgresStatement(
                UsageSQL.recordSecrets,
                [
                    .bytesArray(secrets.map(\.digest.bytes)), .uuidArray(secrets.map { PostgresUUID($0.keyID) }),
                    moments(secrets), requests(secrets),
                ]),
            PostgresStatement(
                UsageSQL.recordDays,
                [
                    .uuidArray(counts.map { PostgresUUID($0.keyID) }), .int64Array(counts.map { Int64($0.day) }),
                    .bytesArray(counts.map(\.digest.bytes)), requests(counts),
                ]),
        ])
    }

    /// Returns one total for each key, or for each secret, in the order of first occurrence.
    private static func totals<Group: Hashable>(_ counts: [UsageCount], _ group: (UsageCount) -> Group) -> [UsageCount]
    {
        var indexes: [Group: Int] = [:]
        var totals: [UsageCount] = []
        for count in counts {
            if let index = indexes[group(count)] {
                totals[index].add(count)
            } else {
                indexes[group(count)] = totals.count
                totals.append(count)
            }
        }
        return totals
    }

    private static func moments(_ counts: [UsageCount]) -> PostgresParameter {
        .timestampArray(counts.map(\.lastUsedAt.microseconds))
    }

    private static func requests(_ counts: [UsageCount]) -> PostgresParameter {
        .int64Array(counts.map(\.requests))
    }
}
