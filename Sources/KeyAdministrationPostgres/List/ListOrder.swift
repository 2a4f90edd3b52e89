import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// An order in SQL: its columns, and the ranges of its index that contain a page. The plan `walk` reads these ranges.
/// The other plans read them with further conditions.
///
/// The indexes are `auth_keys_newest_first`, `auth_keys_name`, `auth_key_usage_latest` and `auth_keys_end`, forwards or
/// backwards. Each stretch is one contiguous range of the index. An OR within a range would make PostgreSQL read the
/// preceding entries too.
struct ListOrder {
    private let query: KeyQuery
    private let rows: ListRows
    private var order: KeyOrder { query.order }

    init(_ query: KeyQuery, _ rows: ListRows) {
        self.query = query
        self.rows = rows
    }

    private var moment: String? {
        switch order.field {
        case .created: "k.created_at"
        case .name: nil
        case .lastUsed: "u.last_used_at"
        case .expires: rows.end
        }
    }

    private var name: String? {
        switch order.field {
        case .created, .name: "k.name"
        case .lastUsed, .expires: nil
        }
    }

    /// The columns of the order, with the names that `terms(of:)` uses.
    var columns: String {
        [moment.map { "\($0) AS moment" }, name.map { "\($0) AS name" }, "\(rows.id) AS id"].compactMap(\.self)
            .joined(separator: ", ")
    }

    /// The terms of `ORDER BY`, which are those of the index.
    var terms: String { terms(moment: moment, name: name, id: rows.id) }

    /// Returns the terms of `ORDER BY` over `columns` of a table.
    func terms(of table: String) -> String {
        terms(moment: moment.map { _ in table + ".moment" }, name: name.map { _ in table + ".name" }, id: table + ".id")
    }

    private func terms(moment: String?, name: String?, id: String) -> String {
        let moments = order.isDescending ? " DESC" : ""
        let nulls = order.field == .lastUsed ? (order.isReversed ? " NULLS FIRST" : " NULLS LAST") : ""
        let others = goesDown ? " DESC" : ""
        return [moment.map { $0 + moments + nulls }, name.map { $0 + others }, id + others].compactMap(\.self)
            .joined(separator: ", ")
    }

    /// True if ids and names descend. They have the direction of the times, except in the order of creation: newest
    /// first, then by ascending name.
    private var goesDown: Bool { order.field == .created ? !order.isDescending : order.isDescending }
    private var next: String { goesDown ? "<" : ">" }

    /// Returns the conditions of the stretches after the cursor, in order.
    func stretches(_ bindings: inout Bindings) -> [String] {
        switch order.field {
        case .created:
            guard let cursor = query.after, let moment = cursor.moment else { return ["true"] }
            let value = bindings.add(moment)
            return [
                "k.created_at = \(value) AND \(named(after: cursor, &bindings))",
                "k.created_at \(order.isDescending ? "<" : ">") \(value)",
            ]
        case .name: return [query.after.map { named(after: $0, &bindings) } ?? "true"]
        case .lastUsed: return stretches(by: "u.last_used_at", &bindings)
        case .expires: return stretches(by: rows.end, &bindings)
        }
    }

    private func named(after cursor: ListCursor, _ bindings: inout Bindings) -> String {
        "(k.name, k.id) \(next) (\(bindings.add(.text(cursor.name))), \(bindings.add(.uuid(PostgresUUID(cursor.id)))))"
    }

    /// Returns the stretches of an order in which keys without a time come last, or first if it is reversed.
    private func stretches(by moment: String, _ bindings: inout Bindings) -> [String] {
        let bound = bound(&bindings)
        let (some, none) = (bound ?? "\(moment) IS NOT NULL", "\(moment) IS NULL")
        guard let cursor = query.after else {
            // Without a bound, the index is read from its end, including the keys without a time.
            return bound == nil ? ["true"] : order.isReversed ? [none, some] : [some, none]
        }
        let cursorID = bindings.add(.uuid(PostgresUUID(cursor.id)))
        guard let value = cursor.moment else {
            return ["\(none) AND \(rows.id) \(next) \(cursorID)"] + (order.isReversed ? [some] : [])
        }
        let rest = "(\(moment), \(rows.id)) \(next) (\(bindings.add(value)), \(cursorID))"
        return [[rest, bound].compactMap(\.self).joined(separator: " AND ")] + (order.isReversed ? [] : [none])
    }

    /// Returns the bound on the order's times that the query's filter implies. The filter itself uses an OR, which no
    /// index supports.
    private func bound(_ bindings: inout Bindings) -> String? {
        if order.field == .expires, query.status == .active { return "k.expires_at > \(ListFilter.now)" }
        if order.field == .lastUsed, let time = query.unusedFor {
            return "u.last_used_at < \(ListFilter.since(time, &bindings))"
        }
        return nil
    }
}
