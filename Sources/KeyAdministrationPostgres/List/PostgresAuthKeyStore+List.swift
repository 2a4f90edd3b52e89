public import AuthKeys
public import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore {
    public func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey] {
        try await attempt {
            var query = query
            query.owner = try await self.narrowed(query.owner, in: "auth_keys")
            let plan = try await self.plan(of: query)
            let results = try await self.pool.pipeline([ListSQL.planning, ListSQL.page(query, by: plan)])
            return try results.last?.rows.map { try $0.read(AuthKey.init(row:)) } ?? []
        }
    }

    /// Returns a filter of one owner if the table has no owner below it. An index has the rows of one owner in the
    /// order of time, those of several only together.
    func narrowed(_ filter: OwnerFilter?, in table: String) async throws(PostgresError) -> OwnerFilter? {
        guard let filter, filter.includesBelow else { return filter }
        let found = try await pool.query(OwnerSQL.hasBelow(table), [.text(filter.path)]).rows.first?.bool(0)
        return OwnerFilter(filter.path, includesBelow: found ?? true)
    }

    private func plan(of query: KeyQuery) async throws(PostgresError) -> ListPlan {
        guard let set = KeySet(of: query) else { return ListPlan(query) }
        let counted = try await pool.pipeline([ListSQL.planning, ListSQL.count(set, of: query)])
        return ListPlan(query, set, size: Int(try counted.last?.rows.first?.int64(0) ?? 0))
    }

    /// Counts up to the limit of exact counts. Above it, asks the planner, which knows the sizes of the tables and the
    /// distribution of their values.
    public func count(_ query: KeyQuery) async throws(StoreError) -> KeyCount {
        try await attempt {
            let counted = try await self.pool.pipeline([ListSQL.planning, ListSQL.count(query)]).last?.rows.first
            let count = Int(try counted?.int64(0) ?? 0)
            guard count > KeyCount.exactLimit else { return KeyCount(count, isExact: true) }
            let estimate = ListSQL.estimate(query)
            let plan = try await self.pool.query(estimate.sql, estimate.parameters).rows.first.map { try $0.text(0) }
            return KeyCount(max(count, plan.flatMap(Self.expectedRows) ?? 0), isExact: false)
        }
    }

    /// Returns the number in `… rows=1234 …` of a plan's first line.
    static func expectedRows(_ plan: String) -> Int? {
        plan.split(separator: " ").first { $0.hasPrefix("rows=") }.flatMap { Int($0.dropFirst(5)) }
    }
}
