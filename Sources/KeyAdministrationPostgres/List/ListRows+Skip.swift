import KeyAdministration

/// The plan `skip`: PostgreSQL hashes the ids of a set, then reads the index of the order (`ListOrder`) and looks up
/// each id in the hash table. It reads a key only for the page.
extension ListRows {
    mutating func skip(outside set: KeySet, _ bindings: inout Bindings) {
        // A CASE prevents the planner from making this a join.
        conditions.append("CASE WHEN \(isMember(of: set, &bindings)) THEN true ELSE false END")
        leave(set, &bindings)
    }

    /// Returns the condition that a key is in a set. No set of a suitable size reaches the LIMIT, which tells the
    /// planner that the ids fit in memory.
    func isMember(of set: KeySet, _ bindings: inout Bindings) -> String {
        "\(id) IN (\(set.ids(query, &bindings)) LIMIT \(set.limit * 4))"
    }

    /// Removes the filter of a set that is already evaluated. The condition that it adds shows the planner the point in
    /// the order at which the set begins.
    mutating func leave(_ set: KeySet, _ bindings: inout Bindings) {
        if set == .unused, query.order.field == .created {
            conditions.append("k.created_at < \(ListFilter.since(query.unusedFor ?? .zero, &bindings))")
        }
        query = set.rest(of: query)
    }
}
