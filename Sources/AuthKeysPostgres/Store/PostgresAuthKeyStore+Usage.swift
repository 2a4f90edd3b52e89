import AuthKeys
import LibPQ

extension PostgresAuthKeyStore {
    /// Records usage in one transaction. PostgreSQL ends it without waiting for this instance, because changes of the
    /// keys wait for it.
    static func record(_ counts: [UsageCount], on pool: PostgresPool) async throws {
        let keys = totals(counts) { $0.keyID }
        let secrets = totals(counts) { $0.digest }
        _ = try await pool.pipeline([
            PostgresStatement(KeySQL.requireWhole),
            PostgresStatement(
                KeySQL.recordKeys,
                [
                    .uuidArray(keys.map { PostgresUUID($0.keyID) }), moments(keys),
                    .textArray(keys.map { $0.address?.description }), .textArray(keys.map(\.agent)), requests(keys),
                ]),
            PostgresStatement(
                KeySQL.recordSecrets,
                [
                    .bytesArray(secrets.map(\.digest.bytes)), .uuidArray(secrets.map { PostgresUUID($0.keyID) }),
                    moments(secrets), requests(secrets),
                ]),
            PostgresStatement(
                KeySQL.recordDays,
                [
                    .uuidArray(counts.map { PostgresUUID($0.keyID) }), .int64Array(counts.map { Int64($0.day) }),
                    .bytesArray(counts.map(\.digest.bytes)), requests(counts),
                ]),
        ])
    }

    static func usage(_ id: KeyID, days: Int, on pool: PostgresPool) async throws -> KeyUsageReport? {
        let key = PostgresParameter.uuid(PostgresUUID(id))
        guard let total = try await pool.query(KeySQL.usageOfKey, [key]).rows.first else { return nil }
        var byDay: [Int32: Int64] = [:]
        var bySecret: [SecretDigest: [KeyUsageReport.Day]] = [:]
        for row in try await pool.query(KeySQL.usageByDay, [key, .int32(Int32(clamping: days))]).rows {
            let day = KeyUsageReport.Day(number: Int32(clamping: try row.int64(1)), requests: try row.int64(2))
            byDay[day.number, default: 0] += day.requests
            if let digest = SecretDigest(try row.bytes(0)) { bySecret[digest, default: []].append(day) }
        }
        let secrets = try await pool.query(KeySQL.usageOfSecrets, [key]).rows.map { row in
            var row = RowCursor(row)
            let days = SecretDigest(try row.nextBytes()).flatMap { bySecret[$0] } ?? []
            return KeyUsageReport.Secret(
                prefix: try row.nextText(), lastFour: try row.nextText(), createdAt: try row.nextMoment(),
                expiresAt: try row.nextOptionalMoment(), lastUsedAt: try row.nextOptionalMoment(),
                requests: try row.nextOptionalInt64() ?? 0, days: days)
        }
        return KeyUsageReport(
            usage: try total.read(KeyUsage.init(row:)),
            days: byDay.sorted { $0.key > $1.key }.map { KeyUsageReport.Day(number: $0.key, requests: $0.value) },
            secrets: secrets)
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
