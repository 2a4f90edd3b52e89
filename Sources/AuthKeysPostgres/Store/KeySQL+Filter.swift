import KeyAdministration
import LibPQ

extension KeySQL {
    /// The current time, in a form that an index can be searched by: the start time of the statement.
    static let now = "statement_timestamp()"

    /// Conditions on the row `u` of `auth_key_usage`, which its indexes support, and on the key `k`.
    struct Conditions {
        var ofUse: [String] = []
        var ofKeys: [String] = []
        var all: [String] { ofUse + ofKeys }
    }

    /// Returns the conditions that a key has to meet for a query to find it.
    /// - Parameter byUse: true if the row `u` of `auth_key_usage` is available.
    static func conditions(_ query: KeyQuery, byUse: Bool, _ bindings: inout Bindings) -> Conditions {
        var found = Conditions()
        if let status = query.status {
            if byUse, let condition = useCondition(status) {
                found.ofUse.append(condition)
            } else {
                found.ofKeys.append(condition(status))
            }
        }
        if query.leavesOutDeactivated {
            if byUse {
                found.ofUse.append("NOT u.is_deactivated")
            } else {
                found.ofKeys.append("k.deactivated_at IS NULL")
            }
        }
        if let time = query.expiringWithin {
            let end = "\(now) + \(bindings.add(time))"
            if byUse {
                found.ofUse.append("NOT u.is_deactivated AND u.expires_at > \(now) AND u.expires_at <= \(end)")
            } else {
                found.ofKeys.append("k.deactivated_at IS NULL AND k.expires_at > \(now) AND k.expires_at <= \(end)")
            }
        }
        if let time = query.unusedFor {
            let since = since(time, &bindings)
            let unused = "(u.last_used_at IS NULL OR u.last_used_at < \(since))"
            // A key is created before it is used.
            if byUse {
                found.ofUse += ["u.created_at < \(since)", unused]
            } else {
                found.ofKeys += [
                    "k.created_at < \(since)",
                    "EXISTS (SELECT FROM auth_key_usage u WHERE u.key_id = k.id AND \(unused))",
                ]
            }
        }
        if let owner = query.owner { found.ofKeys.append(OwnerSQL.matches("k.owner", owner) { bindings.add($0) }) }
        if let label = query.label {
            let name = bindings.add(.text(label.name))
            let value = label.value.map { bindings.add(.text($0)) } ?? "NULL"
            let labels = "jsonb_build_object(\(name)::text, \(value)::text)"
            // Each condition has its own index.
            found.ofKeys.append(label.value == nil ? "(k.labels || '{}') ? \(name)" : "k.labels @> \(labels)")
            if byUse { found.ofUse.append(may(haveScopes: "'{}'", labels: labels)) }
        }
        if let scope = query.scope {
            let scopes = "ARRAY[\(bindings.add(.text(scope)))]"
            found.ofKeys.append("k.scopes @> \(scopes)")
            if byUse { found.ofUse.append(may(haveScopes: scopes, labels: "'{}'")) }
        }
        if query.prefix != nil || query.lastFour != nil {
            let secret = secretConditions(query, &bindings).joined(separator: " AND ")
            found.ofKeys.append("EXISTS (SELECT FROM auth_key_secrets f WHERE f.key_id = k.id AND \(secret))")
        }
        if let text = query.text { found.ofKeys.append(condition(text: text, &bindings)) }
        return found
    }

    /// Returns the conditions on a valid secret `f`.
    static func secretConditions(_ query: KeyQuery, _ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        if let prefix = query.prefix {
            // For imported tokens, the stored prefix includes the separator.
            conditions.append("f.prefix IN (\(bindings.add(.text(prefix))), \(bindings.add(.text(prefix + "_"))))")
        }
        if let lastFour = query.lastFour { conditions.append("f.last_four = \(bindings.add(.text(lastFour)))") }
        return conditions + ["(f.expires_at IS NULL OR f.expires_at > \(now))"]
    }

    /// Returns the time that lies `time` in the past.
    static func since(_ time: Duration, _ bindings: inout Bindings) -> String { "\(now) - \(bindings.add(time))" }

    private static func condition(_ status: KeyQuery.Status) -> String {
        switch status {
        case .active: "k.enabled AND k.deactivated_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > \(now))"
        case .disabled: "NOT k.enabled AND k.deactivated_at IS NULL"
        case .deactivated: "k.deactivated_at IS NOT NULL"
        case .expired: "k.deactivated_at IS NULL AND k.expires_at <= \(now)"
        }
    }

    private static func useCondition(_ status: KeyQuery.Status) -> String? {
        switch status {
        case .active, .disabled: nil
        case .deactivated: "u.is_deactivated"
        case .expired: "NOT u.is_deactivated AND u.expires_at <= \(now)"
        }
    }

    /// Returns a condition that is true for every key that has these scopes and labels, and for some others. The
    /// planner estimates a CASE to pass half of the keys. It thus counts the selectivity only once, in the condition on
    /// the key itself.
    private static func may(haveScopes scopes: String, labels: String) -> String {
        // Computed once, not for each key.
        let terms = "(SELECT bits FROM auth_key_terms(\(scopes), \(labels)))"
        return "CASE WHEN u.terms & \(terms) = \(terms) THEN true ELSE false END"
    }

    private static func condition(text: String, _ bindings: inout Bindings) -> String {
        func patterns(_ separators: [String]) -> String {
            let beginnings = [escapedForLike(text) + "%"] + separators.map { "%\(escapedForLike($0 + text))%" }
            return "ILIKE ANY (\(bindings.add(.textArray(beginnings)))::text[])"
        }
        if KeyQuery.isWordBeginning(text) {
            let name = patterns(KeyQuery.separatorsInNames)
            return "(k.name \(name) OR k.description \(patterns(KeyQuery.separatorsInDescriptions)))"
        }
        if let pattern = foldingPattern(text) {
            let pattern = bindings.add(.text(pattern))
            return "(k.name ~ \(pattern) OR k.description ~ \(pattern))"
        }
        let pattern = bindings.add(.text("%\(escapedForLike(text))%"))
        return "(k.name ILIKE \(pattern) OR k.description ILIKE \(pattern))"
    }

    private static func escapedForLike(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if ["\\", "%", "_"].contains(scalar) { escaped.append("\\") }
            escaped.append(scalar)
        }
        return String(escaped)
    }

    /// Returns a regular expression that matches a text in either case; nil if the text has no cased letters beyond
    /// ASCII.
    ///
    /// `ILIKE` folds case by the database's collation, which covers only ASCII under `C`. An expression with both forms
    /// needs no collation, and trigram indexes support it (PostgreSQL, F.35.4).
    private static func foldingPattern(_ text: String) -> String? {
        let forms = text.unicodeScalars.map { (scalar: $0, forms: caseForms($0)) }
        guard forms.contains(where: { $0.forms.count > 1 && !$0.scalar.isASCII }) else { return nil }
        var pattern = String.UnicodeScalarView()
        for (scalar, forms) in forms {
            if forms.count > 1 {
                pattern.append("[")
                pattern.append(contentsOf: forms)
                pattern.append("]")
            } else {
                // Before any character except a letter or digit, a backslash means the character itself (PostgreSQL,
                // 9.7.3.3).
                if scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil {
                    pattern.append("\\")
                }
                pattern.append(scalar)
            }
        }
        return String(pattern)
    }

    /// Returns those lower, upper and title case forms of a letter that are a single scalar.
    private static func caseForms(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        var forms = [scalar]
        for text in [
            scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping, scalar.properties.titlecaseMapping,
        ] {
            let scalars = Array(text.unicodeScalars)
            if scalars.count == 1, !forms.contains(scalars[0]) { forms.append(scalars[0]) }
        }
        return forms
    }
}
