import AuthKeys
import LibPQ

extension KeySQL {
    /// Now, as an index can be asked for it: the moment at which the statement began.
    static let now = "statement_timestamp()"

    /// What a key `k` has to be for a query to find it.
    /// - Parameter usage: what the row of `auth_key_usage` is called, where it is at hand.
    static func conditions(_ query: KeyQuery, usage: String?, _ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        if let status = query.status { conditions.append(condition(status)) }
        if query.leavesOutDeactivated { conditions.append("k.deactivated_at IS NULL") }
        if let time = query.expiringWithin {
            conditions.append(
                "k.deactivated_at IS NULL AND k.expires_at > \(now) AND k.expires_at <= \(now) + \(bindings.add(time))")
        }
        if let time = query.unusedFor {
            let since = "\(now) - \(bindings.add(time))"
            func unused(_ row: String) -> String {
                "(\(row).last_used_at IS NULL OR \(row).last_used_at < \(since))"
            }
            // A key is made before it is used.
            conditions.append("k.created_at < \(since)")
            conditions.append(
                usage.map(unused) ?? "EXISTS (SELECT FROM auth_key_usage f WHERE f.key_id = k.id AND \(unused("f")))")
        }
        if let owner = query.owner { conditions.append("k.owner = \(bindings.add(.text(owner)))") }
        if let label = query.label {
            let name = bindings.add(.text(label.name))
            conditions.append(
                label.value.map { "k.labels @> jsonb_build_object(\(name)::text, \(bindings.add(.text($0)))::text)" }
                    ?? "k.labels ? \(name)")
        }
        if let scope = query.scope { conditions.append("k.scopes @> ARRAY[\(bindings.add(.text(scope)))]") }
        var secret: [String] = []
        if let prefix = query.prefix {
            // Of tokens that came with an import, the separator is kept too.
            secret.append("f.prefix IN (\(bindings.add(.text(prefix))), \(bindings.add(.text(prefix + "_"))))")
        }
        if let lastFour = query.lastFour { secret.append("f.last_four = \(bindings.add(.text(lastFour)))") }
        if !secret.isEmpty {
            conditions.append(
                """
                EXISTS (SELECT FROM auth_key_secrets f WHERE f.key_id = k.id AND \(secret.joined(separator: " AND "))
                    AND (f.expires_at IS NULL OR f.expires_at > \(now)))
                """)
        }
        if let text = query.text {
            let pattern = bindings.add(.text("%\(escapedForLike(text))%"))
            conditions.append("(k.name ILIKE \(pattern) OR k.description ILIKE \(pattern))")
        }
        return conditions
    }

    private static func condition(_ status: KeyQuery.Status) -> String {
        switch status {
        case .active: "k.enabled AND k.deactivated_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > \(now))"
        case .disabled: "NOT k.enabled AND k.deactivated_at IS NULL"
        case .deactivated: "k.deactivated_at IS NOT NULL"
        case .expired: "k.deactivated_at IS NULL AND k.expires_at <= \(now)"
        }
    }

    private static func escapedForLike(_ text: String) -> String {
        String(text.flatMap { "\\%_".contains($0) ? ["\\", $0] : [$0] })
    }
}
