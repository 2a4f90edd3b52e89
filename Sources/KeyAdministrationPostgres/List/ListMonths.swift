import KeyAdministration

/// The plan `months`: keys that expired, or will expire, read month by month.
///
/// Such keys are scattered over the order of creation, or of last use, and no index can depend on the current time. But
/// `auth_keys_end_month` and `auth_key_usage_end_month` have each month's keys in that order. A page is merged from the
/// first keys of each month.
enum ListMonths: Equatable {
    case expired
    case expiring(within: Duration)

    /// Returns nil if the order is another one, or if the query filters by more than expiry.
    init?(of query: KeyQuery) {
        var rest = query
        rest.status = nil
        rest.expiringWithin = nil
        guard [.created, .lastUsed].contains(query.order.field), rest.isUnfiltered else { return nil }
        switch (query.status, query.expiringWithin) {
        case (.expired, nil): self = .expired
        case (nil, let time?): self = .expiring(within: time)
        default: return nil
        }
    }

    /// Returns the condition that limits a page to one month.
    static func condition(on rows: ListRows) -> String { "\(month(rows.end)) = months.month" }

    /// Returns the month of a time, as in the indexes.
    private static func month(_ moment: String) -> String { "date_trunc('month', \(moment) AT TIME ZONE 'UTC')" }

    /// Returns the table of months with expiries. The index leads from each to the next one.
    func table(_ bindings: inout Bindings) -> String {
        let (start, end) =
            switch self {
            case .expired: ("> timestamp '-infinity'", ListFilter.now)
            case .expiring(let time):
                (">= \(Self.month(ListFilter.now))", "\(ListFilter.now) + \(bindings.add(time))")
            }
        let last = Self.month("(\(end))")
        return """
            (
                SELECT timestamp '-infinity' UNION ALL SELECT * FROM (
                    WITH RECURSIVE walk (month) AS (
                        (\(Self.first(start))) UNION ALL
                        SELECT (\(Self.first("> walk.month"))) FROM walk WHERE walk.month <= \(last)
                    ) SELECT month FROM walk WHERE month <= \(last)
                ) walked
            ) months (month)
            """
    }

    /// Returns the query for the first month that meets a condition.
    private static func first(_ condition: String) -> String {
        let month = month("expires_at")
        return """
            SELECT \(month) FROM auth_keys
            WHERE expires_at IS NOT NULL AND deactivated_at IS NULL AND \(month) \(condition)
            ORDER BY \(month) LIMIT 1
            """
    }
}
