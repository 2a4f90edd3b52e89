import KeyAdministration
import LibPQ

/// An order in SQL: the columns it goes by, and the stretches of its index that hold a page. Each stretch is one range of the
/// index, without a choice in it that would make PostgreSQL read what lies before.
struct ListOrder {
    private let query: KeyQuery
    private var order: KeyOrder { query.order }
    var field: KeyOrder.Field { order.field }

    init(_ query: KeyQuery) {
        self.query = query
        usage = query.order.field == .lastUsed ? "auth_key_usage" : nil
    }

    /// The rows of `auth_key_usage` that the list is read from, unless it is read from those of `auth_keys`.
    var usage: String?
    /// The rows of `auth_keys`.
    var keys = "auth_keys"

    /// Whether the order goes by rows `u` of `auth_key_usage`.
    var byUse: Bool { usage != nil }

    /// What the list is read from.
    func source(joiningKeys: Bool) -> String {
        guard let usage else { return "\(keys) k" }
        return "\(usage) u" + (joiningKeys ? " JOIN \(keys) k ON k.id = u.key_id" : "")
    }

    private var moment: String? {
        switch order.field {
        case .created: "k.created_at"
        case .name: nil
        case .lastUsed: "u.last_used_at"
        case .expires: byUse ? "u.expires_at" : "k.expires_at"
        }
    }

    private var name: String? {
        switch order.field {
        case .created, .name: "k.name"
        case .lastUsed, .expires: nil
        }
    }

    var id: String { byUse ? "u.key_id" : "k.id" }

    /// What the list is ordered by, under the names that `terms(of:)` takes it by.
    var columns: String {
        [moment.map { "\($0) AS moment" }, name.map { "\($0) AS name" }, "\(id) AS id"].compactMap(\.self)
            .joined(separator: ", ")
    }

    /// The terms of `ORDER BY`, those of the index.
    var terms: String { terms(moment: moment, name: name, id: id) }

    /// The same over `columns`.
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

    /// Whether ids go down, and names. They go as moments do, but for what was made: newest first, then by name.
    private var goesDown: Bool { order.field == .created ? !order.isDescending : order.isDescending }
    private var next: String { goesDown ? "<" : ">" }

    /// The conditions of the stretches after the cursor, in order.
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
        case .expires: return stretches(by: byUse ? "u.expires_at" : "k.expires_at", &bindings)
        }
    }

    private func named(after cursor: ListCursor, _ bindings: inout Bindings) -> String {
        "(k.name, k.id) \(next) (\(bindings.add(.text(cursor.name))), \(bindings.add(.uuid(PostgresUUID(cursor.id)))))"
    }

    /// Those of an order in which keys without a moment come last; or first, where it is reversed.
    private func stretches(by moment: String, _ bindings: inout Bindings) -> [String] {
        let bound = bound(&bindings)
        let (some, none) = (bound ?? "\(moment) IS NOT NULL", "\(moment) IS NULL")
        guard let cursor = query.after else {
            // Without a bound the index is read from its end, those without a moment and all.
            return bound == nil ? ["true"] : order.isReversed ? [none, some] : [some, none]
        }
        let place = bindings.add(.uuid(PostgresUUID(cursor.id)))
        guard let value = cursor.moment else {
            return ["\(none) AND \(id) \(next) \(place)"] + (order.isReversed ? [some] : [])
        }
        let rest = "(\(moment), \(id)) \(next) (\(bindings.add(value)), \(place))"
        return [[rest, bound].compactMap(\.self).joined(separator: " AND ")] + (order.isReversed ? [] : [none])
    }

    /// What the query's filter says of the moments that the order goes by, where it says it with an OR, which no index is
    /// asked for.
    private func bound(_ bindings: inout Bindings) -> String? {
        if order.field == .expires, query.status == .active { return "k.expires_at > \(KeySQL.now)" }
        if order.field == .lastUsed, let time = query.unusedFor {
            return "u.last_used_at < \(KeySQL.since(time, &bindings))"
        }
        return nil
    }
}
