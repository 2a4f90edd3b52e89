import KeyAdministration

/// The plan `sort`: PostgreSQL reads all keys of a set and sorts them.
extension ListRows {
    mutating func sort(_ set: KeySet, _ bindings: inout Bindings) {
        switch (set, query.order.field) {
        case (.ending, _):
            // A range of `auth_keys_end`. OFFSET 0 prevents the planner from choosing another path.
            let condition = KeySet.ending(query, &bindings)
            keys = "(SELECT * FROM auth_keys f WHERE f.deactivated_at IS NULL AND \(condition) OFFSET 0)"
        case (.unused, .expires):
            // `auth_key_usage` has the expiry, so that no key is read before the page.
            usage = KeySet.unused(query, &bindings)
        default:
            // The planner joins the few ids with their keys.
            conditions.append(isMember(of: set, &bindings))
            return leave(set, &bindings)
        }
        query = set.rest(of: query)
    }
}
