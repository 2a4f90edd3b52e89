import AuthKeys
import KeyAdministration
import LibPQ

/// A set of keys that match one filter, where an index lists them without reading the keys.
enum KeySet: CaseIterable {
    case owner, disabled, prefix, unused, ending

    /// Returns nil if there is no such set, or if an index has the set in the requested order.
    init?(of query: KeyQuery) {
        let field = query.order.field
        let set = KeySet.allCases.first { set in
            switch set {
            // The index has the keys of one owner in the order of creation. By name, `walk` is faster for any size.
            case .owner: query.owner.map { $0.includesBelow || ![.created, .name].contains(field) } ?? false
            case .disabled: query.status == .disabled && field != .created
            case .prefix: query.prefix != nil && query.lastFour == nil
            case .unused: query.unusedFor != nil && field != .lastUsed
            case .ending: query.expiringWithin != nil && field == .name
            }
        }
        // If the order is one of the keys themselves, the other filters would require reading each key anyway.
        guard let set, field == .lastUsed || set.rest(of: query).isUnfiltered else { return nil }
        self = set
    }

    /// The size above which no plan uses the set.
    var limit: Int { self == .ending ? ListPlan.sortByNameLimit : ListPlan.skipLimit }

    /// Returns the query without the set's filter.
    func rest(of query: KeyQuery) -> KeyQuery {
        var rest = query
        switch self {
        case .owner: rest.owner = nil
        case .disabled: rest.status = nil
        case .prefix: rest.prefix = nil
        case .unused: rest.unusedFor = nil
        case .ending: rest.expiringWithin = nil
        }
        return rest
    }

    /// Returns the query for the set's ids. The indexes are `auth_keys_owner`, `auth_keys_disabled`,
    /// `auth_key_secrets_of_prefix`, `auth_key_usage_never` with `auth_key_usage_latest`, and `auth_keys_end`.
    func ids(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        switch self {
        case .owner:
            let owned = query.owner.map { OwnerSQL.matches("f.owner", $0) { bindings.add($0) } } ?? "true"
            return "SELECT f.id FROM auth_keys f WHERE \(owned)"
        case .disabled:
            return "SELECT f.id FROM auth_keys f WHERE NOT f.enabled AND f.deactivated_at IS NULL"
        case .prefix:
            return "SELECT f.key_id FROM auth_key_secrets f WHERE \(ListFilter.secret(query, &bindings))"
        case .unused:
            return "SELECT u.key_id FROM \(Self.unused(query, &bindings)) u"
        case .ending:
            return "SELECT f.id FROM auth_keys f WHERE \(Self.ending(query, &bindings))"
        }
    }

    /// Returns the query for unused keys, with their expiry. Each half is a range of its own index.
    static func unused(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        let since = ListFilter.since(query.unusedFor ?? .zero, &bindings)
        return """
            (
                SELECT key_id, expires_at FROM auth_key_usage WHERE last_used_at IS NULL AND created_at < \(since)
                UNION ALL
                SELECT key_id, expires_at FROM auth_key_usage WHERE last_used_at < \(since) AND created_at < \(since)
            )
            """
    }

    /// Returns the condition on `f` that a key expires soon.
    static func ending(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        ListFilter.expires("f.expires_at", within: query.expiringWithin ?? .zero, &bindings)
    }
}

extension KeyQuery {
    /// True if the query has no filter.
    var isUnfiltered: Bool { self == KeyQuery(limit: limit, order: order, after: after) }
}
