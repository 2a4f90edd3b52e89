import AuthKeys
import AuthKeysPostgres
import LibPQ

extension PostgresAuthKeyStore {
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
}
