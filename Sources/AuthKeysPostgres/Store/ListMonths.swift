import AuthKeys
import LibPQ

/// The months in which keys expired, or will expire. Expired keys are scattered over the order of creation, or of last
/// use, and no index can depend on the current time. But an index has each month's keys in that order, and a page is
/// merged from the first keys of each month.
struct ListMonths {
    /// The condition on the first month, and a time within the last month.
    private let range: (first: String, last: String)
    private let order: ListOrder

    /// Returns nil if the order is another one, or if the query filters by more than expiry.
    init?(_ query: KeyQuery, _ order: ListOrder, _ bindings: inout Bindings) {
        var rest = query
        rest.status = nil
        rest.expiringWithin = nil
        guard [.created, .lastUsed].contains(query.order.field), rest.isUnfiltered else { return nil }
        switch (query.status, query.expiringWithin) {
        case (.expired, nil):
            range = ("> timestamp '-infinity'", KeySQL.now)
        case (nil, let time?): range = (">= \(Self.month(KeySQL.now))", "\(KeySQL.now) + \(bindings.add(time))")
        default: return nil
        }
        self.order = order
    }

    /// Returns the month of a time, as in the indexes.
    static func month(_ moment: String) -> String { "date_trunc('month', \(moment) AT TIME ZONE 'UTC')" }

    /// The condition that limits a page to one month.
    var condition: String { "\(Self.month(order.byUse ? "u.expires_at" : "k.expires_at")) = months.month" }

    /// Merges the pages of all months into one. The index leads from each month with expiries to the next one.
    func merged(_ page: String, _ limit: String) -> String {
        let last = Self.month("(\(range.last))")
        func first(_ condition: String) -> String {
            let month = Self.month("expires_at")
            return """
                SELECT \(month) FROM auth_keys
                WHERE expires_at IS NOT NULL AND deactivated_at IS NULL AND \(month) \(condition)
                ORDER BY \(month) LIMIT 1
                """
        }
        return """
            SELECT found.* FROM (
                SELECT timestamp '-infinity' UNION ALL SELECT * FROM (
                    WITH RECURSIVE walk (month) AS (
                        (\(first(range.first))) UNION ALL
                        SELECT (\(first("> walk.month"))) FROM walk WHERE walk.month <= \(last)
                    ) SELECT month FROM walk WHERE month <= \(last)
                ) walked
            ) months (month) CROSS JOIN LATERAL (\(page)) found ORDER BY \(order.terms(of: "found")) LIMIT \(limit)
            """
    }
}
