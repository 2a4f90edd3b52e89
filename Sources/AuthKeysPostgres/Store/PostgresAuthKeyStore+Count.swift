import AuthKeys
import LibPQ

extension PostgresAuthKeyStore {
    /// Counts as far as a count is exact; beyond, asks the planner, who knows the tables' sizes and the shares of their values.
    static func count(_ query: KeyQuery, on pool: PostgresPool) async throws -> KeyCount {
        let counted = try await pool.pipeline([KeySQL.listPlanning, KeySQL.count(query)]).last?.rows.first
        let count = Int(try counted?.int64(0) ?? 0)
        guard count > KeyCount.exactLimit else { return KeyCount(count, isExact: true) }
        let estimate = KeySQL.estimate(query)
        let plan = try await pool.query(estimate.sql, estimate.parameters).rows.first.map { try $0.text(0) }
        return KeyCount(max(count, plan.flatMap(expectedRows) ?? 0), isExact: false)
    }

    /// The number in `… rows=1234 …` of a plan's first line.
    static func expectedRows(_ plan: String) -> Int? {
        plan.split(separator: " ").first { $0.hasPrefix("rows=") }.flatMap { Int($0.dropFirst(5)) }
    }
}
