import AuthKeys
import LibPQ

extension KeySQL {
    /// How lists are planned: anew for the values at hand, as for data that is in memory, and without what takes longer to
    /// start than a page does. Good until the transaction ends.
    static let listPlanning = PostgresStatement(
        """
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true),
            set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
        """)

    /// The statement for a page: read from stretches of the order, each of which begins in an index, one after the other
    /// until it is full, so that the last page costs as much as the first.
    static func list(_ query: KeyQuery) -> PostgresStatement {
        var bindings = Bindings()
        let order = ListOrder(query)
        let conditions = conditions(query, usage: order.usage, &bindings)
        let limit = bindings.add(.int64(Int64(query.limit)))
        let stretches = order.stretches(&bindings)
        let parts = stretches.enumerated().map { number, stretch in
            let found = (0..<number).map { "(SELECT count(*) FROM s\($0))" }.joined(separator: " + ")
            let filter = ([stretch] + conditions + (number == 0 ? [] : ["\(found) < \(limit)"]))
            return """
                s\(number) AS MATERIALIZED (
                    SELECT \(order.columns) FROM \(order.source(joiningKeys: !conditions.isEmpty))
                    WHERE \(filter.joined(separator: " AND "))
                    ORDER BY \(order.terms) LIMIT \(limit)
                )
                """
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

    /// How many keys there are, counted no further than one beyond what is exact.
    static func count(_ query: KeyQuery) -> PostgresStatement {
        let found = found(query)
        return PostgresStatement(
            "SELECT count(*) FROM (\(found.sql) LIMIT \(KeyCount.exactLimit + 1)) found", found.parameters)
    }

    /// How many keys the planner expects.
    static func estimate(_ query: KeyQuery) -> PostgresStatement {
        let found = found(query)
        return PostgresStatement("EXPLAIN " + found.sql, found.parameters)
    }

    private static func found(_ query: KeyQuery) -> PostgresStatement {
        var bindings = Bindings()
        let conditions = conditions(query, usage: nil, &bindings)
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return PostgresStatement("SELECT 1 FROM auth_keys k" + filter, bindings.parameters)
    }
}
