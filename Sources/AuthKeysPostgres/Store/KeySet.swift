import KeyAdministration
import LibPQ

/// The keys that one filter lets pass, where an index tells which these are without a look at the keys. A page is then read along
/// its order past all that are not of them, which takes neither long where they are one in a hundred, as it does to look at a
/// hundred keys for each that is found, nor to sort them.
enum KeySet: CaseIterable {
    case owner, disabled, prefix, unused, ending

    /// Nil where there is none, or an index that has the set in the order.
    init?(of query: KeyQuery) {
        let field = query.order.field
        let set = KeySet.allCases.first { set in
            switch set {
            case .owner: query.owner != nil && field != .created
            case .disabled: query.status == .disabled && field != .created
            case .prefix: query.prefix != nil && query.lastFour == nil
            case .unused: query.unusedFor != nil && field != .lastUsed
            case .ending: query.expiringWithin != nil && field == .name
            }
        }
        // Where the order is one of the keys themselves, what else is asked of them would be a look at each anyway.
        guard let set, field == .lastUsed || set.rest(of: query).isUnfiltered else { return nil }
        self = set
    }

    /// Fewer keys than that are sooner looked up and sorted.
    static let few = 1_500

    /// As many keys as a set is good for: to find those out takes a few milliseconds.
    var sizes: ClosedRange<Int> {
        switch self {
        // Few are found by the planner.
        case .owner, .disabled, .prefix: Self.few...15_000
        // Not sooner found otherwise, however few they are.
        case .unused: 0...15_000
        // These are sorted, which the planner thinks dearer than it is.
        case .ending: 0...6_000
        }
    }

    /// What is asked beyond the set.
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

    /// The query for the set's ids.
    func ids(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        switch self {
        case .owner:
            return "SELECT f.id FROM auth_keys f WHERE f.owner = \(bindings.add(.text(query.owner ?? "")))"
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

    /// The keys that are not used, with their ends.
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

    /// The keys that end soon. OFFSET 0 keeps the planner from another way to them.
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
    /// Whether all keys are asked for.
    var isUnfiltered: Bool { self == KeyQuery(limit: limit, order: order, after: after) }
}
