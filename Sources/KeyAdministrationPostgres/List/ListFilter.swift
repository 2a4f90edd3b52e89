import AuthKeys
import KeyAdministration
import LibPQ

/// The conditions that a key has to meet for a query to find it.
struct ListFilter {
    /// Conditions on the row `u` of `auth_key_usage`, which its indexes support.
    var ofUse: [String] = []
    /// Conditions on the key `k`.
    private(set) var ofKeys: [String] = []
    private let byUse: Bool

    var all: [String] { ofUse + ofKeys }

    /// - Parameter byUse: true if the row `u` is available.
    init(_ query: KeyQuery, byUse: Bool, _ bindings: inout Bindings) {
        self.byUse = byUse
        if let status = query.status { add(status) }
        if query.leavesOutDeactivated { add(isKept) }
        if let time = query.expiringWithin { add("\(isKept) AND \(Self.expires(end, within: time, &bindings))") }
        if let time = query.unusedFor { add(unusedFor: time, &bindings) }
        if let owner = query.owner { ofKeys.append(OwnerSQL.matches("k.owner", owner) { bindings.add($0) }) }
        if let label = query.label { add(label, &bindings) }
        if let scope = query.scope {
            let scopes = "ARRAY[\(bindings.add(.text(scope)))]"
            ofKeys.append("k.scopes @> \(scopes)")
            if byUse { ofUse.append(Self.may(haveScopes: scopes, labels: "'{}'")) }
        }
        if query.prefix != nil || query.lastFour != nil {
            let secret = Self.secret(query, &bindings)
            ofKeys.append("EXISTS (SELECT FROM auth_key_secrets f WHERE f.key_id = k.id AND \(secret))")
        }
        if let text = query.text { ofKeys.append(TextFilter.condition(text, &bindings)) }
    }

    /// The column of the expiry.
    private var end: String { byUse ? "u.expires_at" : "k.expires_at" }

    /// The condition that a key is not deactivated.
    private var isKept: String { byUse ? "NOT u.is_deactivated" : "k.deactivated_at IS NULL" }

    /// Adds a condition on the row that the list is read from.
    private mutating func add(_ condition: String) {
        if byUse { ofUse.append(condition) } else { ofKeys.append(condition) }
    }

    private mutating func add(_ status: KeyQuery.Status) {
        switch status {
        case .active:
            ofKeys.append(
                "k.enabled AND k.deactivated_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > \(Self.now))")
        case .disabled: ofKeys.append("NOT k.enabled AND k.deactivated_at IS NULL")
        case .deactivated: add(byUse ? "u.is_deactivated" : "k.deactivated_at IS NOT NULL")
        case .expired: add("\(isKept) AND \(end) <= \(Self.now)")
        }
    }

    private mutating func add(unusedFor time: Duration, _ bindings: inout Bindings) {
        let since = Self.since(time, &bindings)
        let unused = "(u.last_used_at IS NULL OR u.last_used_at < \(since))"
        // A key is created before it is used.
        add("\(byUse ? "u" : "k").created_at < \(since)")
        add(byUse ? unused : "EXISTS (SELECT FROM auth_key_usage u WHERE u.key_id = k.id AND \(unused))")
    }

    private mutating func add(_ label: KeyQuery.Label, _ bindings: inout Bindings) {
        let name = bindings.add(.text(label.name))
        let value = label.value.map { bindings.add(.text($0)) } ?? "NULL"
        let labels = "jsonb_build_object(\(name)::text, \(value)::text)"
        // Each condition has its own index.
        ofKeys.append(label.value == nil ? "(k.labels || '{}') ? \(name)" : "k.labels @> \(labels)")
        if byUse { ofUse.append(Self.may(haveScopes: "'{}'", labels: labels)) }
    }

    /// Returns a condition that is true for every key that has these scopes and labels, and for some others. The
    /// planner estimates a CASE to pass half of the keys. It thus counts the selectivity only once, in the condition on
    /// the key itself.
    private static func may(haveScopes scopes: String, labels: String) -> String {
        // Computed once, not for each key.
        let terms = "(SELECT bits FROM auth_key_terms(\(scopes), \(labels)))"
        return "CASE WHEN u.terms & \(terms) = \(terms) THEN true ELSE false END"
    }
}

extension ListFilter {
    /// The current time, in a form that an index can be searched by: the start time of the statement.
    static let now = "statement_timestamp()"

    /// Returns the time that lies `time` in the past.
    static func since(_ time: Duration, _ bindings: inout Bindings) -> String { "\(now) - \(bindings.add(time))" }

    /// Returns the condition that an expiry lies between now and `time` from now.
    static func expires(_ end: String, within time: Duration, _ bindings: inout Bindings) -> String {
        "\(end) > \(now) AND \(end) <= \(now) + \(bindings.add(time))"
    }

    /// Returns the conditions on a valid secret `f`.
    static func secret(_ query: KeyQuery, _ bindings: inout Bindings) -> String {
        var conditions: [String] = []
        if let prefix = query.prefix {
            // For imported tokens, the stored prefix includes the separator.
            conditions.append("f.prefix IN (\(bindings.add(.text(prefix))), \(bindings.add(.text(prefix + "_"))))")
        }
        if let lastFour = query.lastFour { conditions.append("f.last_four = \(bindings.add(.text(lastFour)))") }
        conditions.append("(f.expires_at IS NULL OR f.expires_at > \(now))")
        return conditions.joined(separator: " AND ")
    }
}
