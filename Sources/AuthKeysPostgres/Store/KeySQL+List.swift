import AuthKeys
import LibPQ

extension KeySQL {
    /// The statement for a page. Each place after which a page begins is found in an index, so that the last page costs as
    /// much as the first.
    static func list(_ query: KeyQuery) -> (sql: String, parameters: [PostgresParameter]) {
        var conditions: [String] = []
        var parameters: [PostgresParameter] = []
        func bind(_ parameter: PostgresParameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        if let after = query.after {
            let createdAt = bind(.timestamp(microsecondsSinceUnixEpoch: after.createdAt.microseconds))
            let name = bind(.text(after.name))
            let id = bind(.uuid(PostgresUUID(after.id)))
            conditions.append(
                "k.created_at <= \(createdAt) AND (k.created_at < \(createdAt) OR (k.name, k.id) > (\(name), \(id)))")
        }
        switch query.status {
        case .active:
            conditions.append(
                "k.enabled AND k.deactivated_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())")
        case .disabled: conditions.append("NOT k.enabled AND k.deactivated_at IS NULL")
        case .deactivated: conditions.append("k.deactivated_at IS NOT NULL")
        case .expired: conditions.append("k.deactivated_at IS NULL AND k.expires_at <= clock_timestamp()")
        case nil: break
        }
        if let owner = query.owner { conditions.append("k.owner = \(bind(.text(owner)))") }
        if let label = query.label {
            if let value = label.value {
                conditions.append(
                    "k.labels @> jsonb_build_object(\(bind(.text(label.name)))::text, \(bind(.text(value)))::text)")
            } else {
                conditions.append("k.labels ? \(bind(.text(label.name)))")
            }
        }
        if let text = query.text {
            let pattern = bind(.text("%\(escapedForLike(text))%"))
            conditions.append("(k.name ILIKE \(pattern) OR k.description ILIKE \(pattern))")
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let limit = bind(.int64(Int64(query.limit)))
        let sql = """
            SELECT \(keyColumns) FROM (
                SELECT * FROM auth_keys k \(filter) ORDER BY k.created_at DESC, k.name, k.id LIMIT \(limit)
            ) k \(secretsOfKey) ORDER BY k.created_at DESC, k.name, k.id
            """
        return (sql, parameters)
    }

    private static func escapedForLike(_ text: String) -> String {
        String(text.flatMap { "\\%_".contains($0) ? ["\\", $0] : [$0] })
    }
}
