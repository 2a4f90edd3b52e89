import KeyAdministration
import LibPQ

/// A set of keys that match one filter, where an index lists them without reading the keys. The page is then read in
/// its order, skipping the keys that are not in the set. With one match in a hundred keys this is faster than reading a
/// hundred keys per match, and faster than sorting the matches.
enum KeySet: CaseIterable {
    case owner, disabled, prefix, unused, ending

    /// Returns nil if there is no such set, or if an index has the set in the requested order.
    init?(of query: KeyQuery) {
        let field = query.order.field
        let set = KeySet.allCases.first { set in
            switch set {
            // The index has the keys of one owner in the order of creation.
            case .owner: query.owner.map { $0.includesBelow || field != .created } ?? false
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

    /// The size below which looking up and sorting the keys is faster.
    static let few = 1_500

    /// The sizes for which the set is used. Determining a set of such a size takes a few milliseconds.
    var sizes: ClosedRange<Int> {
        switch self {
        // The planner itself finds small sets.
        case .owner, .disabled, .prefix: Self.few...15_000
        // No other plan is faster, even for small sets.
        case .unused: 0...15_000
        // These are sorted, and the planner overestimates the cost of that.
        case .ending: 0...6_000
        }
    }

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

    /// Returns the query for the set's ids.
    func ids(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        switch self {
        case .owner:
            let owned = query.owner.map { OwnerSQL.matches("f.owner", $0) { bindings.add($0) } } ?? "true"
            return "SELECT f.id FROM auth_keys f WHERE \(owned)"
        case .disabled:
            return "SELECT f.id FROM auth_keys f WHERE NOT f.enabled AND f.deactivated_at IS NULL"
        case .prefix:
            let secrets = KeySQL.secretConditions(query, &bindings).joined(separator: " AND ")
            return "SELECT f.key_id FROM auth_key_secrets f WHERE \(secrets)"
        case .unused:
            return "SELECT u.key_id FROM \(Self.unused(query, &bindings)) u"
        case .ending:
            return "SELECT f.id FROM auth_keys f WHERE \(Self.endsSoon(query, &bindings))"
        }
    }

    /// Returns the query for unused keys, with their expiry.
    static func unused(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        let since = KeySQL.since(query.unusedFor ?? .zero, &bindings)
        return """
            (
                SELECT key_id, expires_at FROM auth_key_usage WHERE last_used_at IS NULL AND created_at < \(since)
                UNION ALL
                SELECT key_id, expires_at FROM auth_key_usage WHERE last_used_at < \(since) AND created_at < \(since)
            )
            """
    }

    /// Returns the query for keys that expire soon. OFFSET 0 prevents the planner from choosing another path.
    static func ending(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        let condition = endsSoon(query, &bindings)
        return "(SELECT * FROM auth_keys f WHERE f.deactivated_at IS NULL AND \(condition) OFFSET 0)"
    }

    private static func endsSoon(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        let end = "\(KeySQL.now) + \(bindings.add(query.expiringWithin ?? .zero))"
        return "f.expires_at > \(KeySQL.now) AND f.expires_at <= \(end)"
    }
}

extension KeyQuery {
    /// True if the query has no filter.
    var isUnfiltered: Bool { self == KeyQuery(limit: limit, order: order, after: after) }
}
