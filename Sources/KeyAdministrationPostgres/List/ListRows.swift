import KeyAdministration

/// The rows that a plan reads for a page: tables, and the conditions that the plan adds.
struct ListRows {
    /// The table of the rows `k`.
    var keys = "auth_keys"
    /// The table of the rows `u`; nil if the list is read from `k` alone.
    var usage: String?
    /// The query without the filters that the plan has already evaluated.
    var query: KeyQuery
    var conditions: [String] = []

    init(of query: KeyQuery, by plan: ListPlan, _ bindings: inout Bindings) {
        self.query = query
        usage = query.order.field == .lastUsed ? "auth_key_usage" : nil
        switch plan {
        case .walk, .months: break
        case .skip(let set): skip(outside: set, &bindings)
        case .sort(let set): sort(set, &bindings)
        }
    }

    /// True if the list is read from rows `u` of `auth_key_usage`.
    var byUse: Bool { usage != nil }

    /// The column with the id of a key.
    var id: String { byUse ? "u.key_id" : "k.id" }

    /// The column with the expiry of a key.
    var end: String { byUse ? "u.expires_at" : "k.expires_at" }

    /// Returns the FROM clause of the list.
    func source(joiningKeys: Bool) -> String {
        guard let usage else { return "\(keys) k" }
        return "\(usage) u" + (joiningKeys ? " JOIN \(keys) k ON k.id = u.key_id" : "")
    }
}
