import AuthKeys
import LibPQ

extension KeySQL {
    /// The planner settings of lists: a new plan for the actual values, costs for data in memory, and no JIT or
    /// parallel workers, whose start takes longer than a page. They apply until the end of the transaction.
    static let listPlanning = PostgresStatement(
        """
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true),
            set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
        """)

    /// Returns the statement of a page. It reads consecutive ranges of the order, each of which begins in an index,
    /// until the page is full. The last page thus costs as much as the first.
    /// - Parameters:
    ///   - set: the set that the page is found by, if its size is suitable.
    ///   - isFew: true if the set is so small that its keys are looked up and sorted.
    static func list(_ query: KeyQuery, by set: KeySet? = nil, isFew: Bool = false) -> PostgresStatement {
        var bindings = Bindings()
        var order = ListOrder(query)
        var ofSet: [String] = []
        switch (set, order.field) {
        case (nil, _): break
        case (.ending, _): order.keys = KeySet.ending(query, &bindings)
        case (.unused, .expires): order.usage = KeySet.unused(query, &bindings)
        case (let set?, let field):
            // A CASE prevents the planner from making this a join; for few keys, a join is allowed. No set of a
            // suitable size reaches the limit. The limit tells the planner that the ids fit in memory.
            let isOne = "\(order.id) IN (\(set.ids(query, &bindings)) LIMIT \(set.sizes.upperBound * 4))"
            ofSet.append(isFew ? isOne : "CASE WHEN \(isOne) THEN true ELSE false END")
            if set == .unused, field == .created {
                // Shows the planner the point in the order at which the set begins.
                ofSet.append("k.created_at < \(since(query.unusedFor ?? .zero, &bindings))")
            }
        }
        var conditions = conditions(set?.rest(of: query) ?? query, byUse: order.byUse, &bindings)
        conditions.ofUse += ofSet
        if order.byUse, conditions.ofKeys.isEmpty {
            // An instance of an earlier version may have left a usage row of a deleted key. It would make the page one
            // key too short.
            conditions.ofUse.append(
                "CASE WHEN EXISTS (SELECT FROM auth_keys o WHERE o.id = u.key_id) THEN true ELSE false END")
        }
        let months = ListMonths(query, order, &bindings)
        let limit = bindings.add(.int64(Int64(query.limit)))
        let stretches = order.stretches(&bindings)
        let parts = stretches.enumerated().map { number, stretch in
            let found = (0..<number).map { "(SELECT count(*) FROM s\($0))" }.joined(separator: " + ")
            let filter =
                [stretch] + conditions.all + (months.map { [$0.condition] } ?? [])
                + (number == 0 ? [] : ["\(found) < \(limit)"])
            let page = """
                SELECT \(order.columns) FROM \(order.source(joiningKeys: !conditions.ofKeys.isEmpty))
                WHERE \(filter.joined(separator: " AND "))
                ORDER BY \(order.terms) LIMIT \(limit)
                """
            return "s\(number) AS MATERIALIZED (\(months.map { $0.merged(page, limit) } ?? page))"
        }
        let all = stretches.indices.map { "SELECT * FROM s\($0)" }.joined(separator: " UNION ALL ")
        return PostgresStatement(
            """
            WITH \(parts.joined(separator: ", "))
            SELECT \(keyColumns) FROM (
                SELECT * FROM (\(all)) found ORDER BY \(order.terms(of: "found")) LIMIT \(limit)
            ) page JOIN auth_keys k ON k.id = page.id \(secretsOfKey) ORDER BY \(order.terms(of: "page"))
            """,
            bindings.parameters)
    }

    /// Returns the statement that counts the keys of a set, up to one more than a suitable size.
    static func count(_ set: KeySet, of query: KeyQuery) -> PostgresStatement {
        var bindings = Bindings()
        let ids = set.ids(query, &bindings)
        return PostgresStatement(
            "SELECT count(*) FROM (\(ids) LIMIT \(set.sizes.upperBound + 1)) found", bindings.parameters)
    }

    /// Returns the statement that counts keys, up to one more than the limit of exact counts.
    static func count(_ query: KeyQuery) -> PostgresStatement {
        let found = found(query)
        return PostgresStatement(
            "SELECT count(*) FROM (\(found.sql) LIMIT \(KeyCount.exactLimit + 1)) found", found.parameters)
    }

    /// Returns the statement for the planner's estimate of the number of keys.
    static func estimate(_ query: KeyQuery) -> PostgresStatement {
        let found = found(query)
        return PostgresStatement("EXPLAIN " + found.sql, found.parameters)
    }

    private static func found(_ query: KeyQuery) -> PostgresStatement {
        var bindings = Bindings()
        let conditions = conditions(query, byUse: false, &bindings).all
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return PostgresStatement("SELECT 1 FROM auth_keys k" + filter, bindings.parameters)
    }
}
