import KeyAdministration
import LibPQ

/// The statements of lists.
enum ListSQL {
    /// The planner settings of lists: a new plan for the actual values, costs for data in memory, and no JIT or
    /// parallel workers, whose start takes longer than a page. They apply until the end of the transaction.
    static let planning = PostgresStatement(
        """
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true),
            set_config('jit', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)
        """)

    /// Returns the statement of a page. It reads consecutive ranges of the order, each of which begins in an index,
    /// until the page is full. The last page thus costs as much as the first.
    static func page(_ query: KeyQuery, by plan: ListPlan) -> PostgresStatement {
        var bindings = Bindings()
        let rows = ListRows(of: query, by: plan, &bindings)
        let order = ListOrder(query, rows)
        var filter = ListFilter(rows.query, byUse: rows.byUse, &bindings)
        filter.ofUse += rows.conditions
        if rows.byUse, filter.ofKeys.isEmpty {
            // An instance of an earlier version may have left a usage row of a deleted key. It would make the page one
            // key too short.
            filter.ofUse.append(
                "CASE WHEN EXISTS (SELECT FROM auth_keys o WHERE o.id = u.key_id) THEN true ELSE false END")
        }
        let months: String? = if case .months(let months) = plan { months.table(&bindings) } else { nil }
        let limit = bindings.add(.int64(Int64(query.limit)))
        let stretches = order.stretches(&bindings)
        let parts = stretches.enumerated().map { number, stretch in
            var conditions = [stretch] + filter.all
            if months != nil { conditions.append(ListMonths.condition(on: rows)) }
            if number > 0 {
                let found = (0..<number).map { "(SELECT count(*) FROM s\($0))" }.joined(separator: " + ")
                conditions.append("\(found) < \(limit)")
            }
            let page = """
                SELECT \(order.columns) FROM \(rows.source(joiningKeys: !filter.ofKeys.isEmpty))
                WHERE \(conditions.joined(separator: " AND "))
                ORDER BY \(order.terms) LIMIT \(limit)
                """
            let merged = months.map { months in
                """
                SELECT found.* FROM \(months) CROSS JOIN LATERAL (\(page)) found
                ORDER BY \(order.terms(of: "found")) LIMIT \(limit)
                """
            }
            return "s\(number) AS MATERIALIZED (\(merged ?? page))"
        }
        let all = stretches.indices.map { "SELECT * FROM s\($0)" }.joined(separator: " UNION ALL ")
        return PostgresStatement(
            """
            WITH \(parts.joined(separator: ", "))
            SELECT \(KeySQL.keyColumns) FROM (
                SELECT * FROM (\(all)) found ORDER BY \(order.terms(of: "found")) LIMIT \(limit)
            ) page JOIN auth_keys k ON k.id = page.id \(KeySQL.secretsOfKey) ORDER BY \(order.terms(of: "page"))
            """,
            bindings.parameters)
    }

    /// Returns the statement that counts the keys of a set, up to one more than its limit.
    static func count(_ set: KeySet, of query: KeyQuery) -> PostgresStatement {
        var bindings = Bindings()
        let ids = set.ids(query, &bindings)
        return PostgresStatement("SELECT count(*) FROM (\(ids) LIMIT \(set.limit + 1)) found", bindings.parameters)
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
        let conditions = ListFilter(query, byUse: false, &bindings).all
        let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return PostgresStatement("SELECT 1 FROM auth_keys k" + filter, bindings.parameters)
    }
}
