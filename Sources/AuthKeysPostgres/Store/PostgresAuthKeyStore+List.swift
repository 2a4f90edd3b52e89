import AuthKeys
import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore {
    /// Reads a page by a set, if there is one of a suitable size; otherwise the planner chooses.
    static func list(_ query: KeyQuery, on pool: PostgresPool) async throws -> [AuthKey] {
        var (set, isFew) = (KeySet(of: query), false)
        if let asked = set {
            let counted = try await pool.pipeline([KeySQL.listPlanning, KeySQL.count(asked, of: query)])
            let count = Int(try counted.last?.rows.first?.int64(0) ?? 0)
            if !asked.sizes.contains(count) { set = nil }
            isFew = count < KeySet.few
        }
        let results = try await pool.pipeline([KeySQL.listPlanning, KeySQL.list(query, by: set, isFew: isFew)])
        return try results.last?.rows.map { try $0.read(AuthKey.init(row:)) } ?? []
    }

    /// Counts up to the limit of exact counts. Above it, asks the planner, which knows the sizes of the tables and the
    /// distribution of their values.
    static func count(_ query: KeyQuery, on pool: PostgresPool) async throws -> KeyCount {
        let counted = try await pool.pipeline([KeySQL.listPlanning, KeySQL.count(query)]).last?.rows.first
        let count = Int(try counted?.int64(0) ?? 0)
        guard count > KeyCount.exactLimit else { return KeyCount(count, isExact: true) }
        let estimate = KeySQL.estimate(query)
        let plan = try await pool.query(estimate.sql, estimate.parameters).rows.first.map { try $0.text(0) }
        return KeyCount(max(count, plan.flatMap(expectedRows) ?? 0), isExact: false)
    }

    /// Returns the number in `… rows=1234 …` of a plan's first line.
    static func expectedRows(_ plan: String) -> Int? {
        plan.split(separator: " ").first { $0.hasPrefix("rows=") }.flatMap { Int($0.dropFirst(5)) }
    }
}
