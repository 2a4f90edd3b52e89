import KeyAdministration
import LibPQ

/// The months that keys ended in, or will. Those that have ended by now are scattered over the order of creation, or of last use,
/// and no index can know of now; but one has each month's keys in that order, and a page is made of the first of each.
struct ListMonths {
    /// What the first month has to be, and a moment that the last one holds.
    private let range: (first: String, last: String)
    private let order: ListOrder

    /// Nil where the order is another, or more is asked of keys than when they end.
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

    /// The month of a moment, as the indexes have it.
    static func month(_ moment: String) -> String { "date_trunc('month', \(moment) AT TIME ZONE 'UTC')" }

    /// What makes a page one of a month.
    var condition: String { "\(Self.month(order.byUse ? "u.expires_at" : "k.expires_at")) = months.month" }

    /// The page out of the pages of all months. From one that keys ended in, the index leads to the next.
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
