import AuthKeys
import LibPQ

/// The months that keys ended in, or will. Those that have ended by now are scattered over the order of creation, or of last use,
/// and no index can know of now; but one has each month's keys in that order, and a page is made of the first of each.
struct ListMonths {
    /// The moments that the first and the last month hold.
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
            range = ("(SELECT min(expires_at) FROM auth_keys WHERE expires_at > '-infinity')", KeySQL.now)
        case (nil, let time?): range = (KeySQL.now, "\(KeySQL.now) + \(bindings.add(time))")
        default: return nil
        }
        self.order = order
    }

    /// The month of a moment, as the indexes have it.
    static func month(_ moment: String) -> String { "date_trunc('month', \(moment) AT TIME ZONE 'UTC')" }

    /// What makes a page one of a month.
    var condition: String { "\(Self.month(order.byUse ? "u.expires_at" : "k.expires_at")) = months.month" }

    /// The page out of the pages of all months.
    func merged(_ page: String, _ limit: String) -> String {
        """
        SELECT found.* FROM (
            SELECT timestamp '-infinity' UNION ALL
            SELECT generate_series(\(Self.month(range.first)), (\(range.last)) AT TIME ZONE 'UTC', interval '1 month')
        ) months (month) CROSS JOIN LATERAL (\(page)) found ORDER BY \(order.terms(of: "found")) LIMIT \(limit)
        """
    }
}
