import AuthKeys
import LibPQ

/// An order in SQL: the columns it goes by, and the stretches of its index that hold a page. Each stretch is one range of the
/// index, without a choice in it that would make PostgreSQL read what lies before.
struct ListOrder {
    private let query: KeyQuery
    private var order: KeyOrder { query.order }

    init(_ query: KeyQuery) {
        self.query = query
    }

    /// The row of `auth_key_usage`, where the order goes by it.
    var usage: String? { order.field == .lastUsed ? "u" : nil }

    /// What the list is read from.
    func source(joiningKeys: Bool) -> String {
        guard usage != nil else { return "auth_keys k" }
        return "auth_key_usage u" + (joiningKeys ? " JOIN auth_keys k ON k.id = u.key_id" : "")
    }

    private var moment: String? {
        switch order.field {
        case .created: "k.created_at"
        case .name: nil
        case .lastUsed: "u.last_used_at"
        case .expires: "k.expires_at"
        }
    }

    private var name: String? {
        switch order.field {
        case .created, .name: "k.name"
        case .lastUsed, .expires: nil
        }
    }

    private var id: String { usage == nil ? "k.id" : "u.key_id" }

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
        let others = order.isReversed ? " DESC" : ""
        return [moment.map { $0 + moments + nulls }, name.map { $0 + others }, id + others].compactMap(\.self)
            .joined(separator: ", ")
    }

    /// The conditions of the stretches after the cursor, in order.
    func stretches(_ bindings: inout Bindings) -> [String] {
        let (later, next) = (order.isDescending ? "<" : ">", order.isReversed ? "<" : ">")
        let place = query.after.map { cursor in
            (
                moment: cursor.moment.map { bindings.add($0) },
                name: name.map { _ in bindings.add(.text(cursor.name)) },
                id: bindings.add(.uuid(PostgresUUID(cursor.id)))
            )
        }
        /// What comes after the cursor among those that are of its moment, or of none.
        var rest: String? {
            place.map { place in
                guard let name, let value = place.name else { return "\(id) \(next) \(place.id)" }
                return "(\(name), \(id)) \(next) (\(value), \(place.id))"
            }
        }
        guard let moment else { return [rest ?? "true"] }
        let never = "\(moment) IS NULL"
        let isNullable = order.field != .created
        guard let place, let rest else {
            // Without a bound the index is read from its end, those without a moment and all.
            guard let bound = bound(&bindings) else { return ["true"] }
            return order.isReversed ? [never, bound] : [bound, never]
        }
        guard let value = place.moment else {
            return ["\(never) AND \(rest)"]
                + (order.isReversed ? [bound(&bindings) ?? "\(moment) IS NOT NULL"] : [])
        }
        let beyond = ["\(moment) \(later) \(value)", bound(&bindings)].compactMap(\.self).joined(separator: " AND ")
        return ["\(moment) = \(value) AND \(rest)", beyond] + (isNullable && !order.isReversed ? [never] : [])
    }

    /// What the query's filter says of the moments that the order goes by, where it says it with an OR, which no index is
    /// asked for.
    private func bound(_ bindings: inout Bindings) -> String? {
        if order.field == .expires, query.status == .active { return "k.expires_at > \(KeySQL.now)" }
        if order.field == .lastUsed, let time = query.unusedFor {
            return "u.last_used_at < \(KeySQL.now) - \(bindings.add(time))"
        }
        return nil
    }
}
