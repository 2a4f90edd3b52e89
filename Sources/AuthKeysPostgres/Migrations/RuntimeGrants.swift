/// What a role needs that runs Keyward but does not own its tables.
public enum RuntimeGrants {
    /// The rights, table by table. A test compares the list with a migrated database.
    static let tables: [(name: String, rights: String)] = [
        ("admin_keys", "SELECT, INSERT, UPDATE"),
        ("audit_events", "SELECT, INSERT"),
        ("audit_seals", "SELECT, INSERT"),
        ("auth_keys", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_schemes", "SELECT, INSERT"),
        ("auth_key_secret_usage", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_secrets", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_tombstones", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_usage", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_usage_days", "SELECT, INSERT, UPDATE, DELETE"),
        ("idempotency_claims", "SELECT, INSERT, UPDATE, DELETE"),
        ("keyward_migrations", "SELECT"),
    ]

    /// The role cannot be named.
    public struct BadRole: Error, CustomStringConvertible {
        public let description = "the name of a role has 1 to 63 bytes, without NUL"
    }

    /// One statement each; to be run by the owner in the schema of the tables. What the role had before on them is taken away.
    public static func statements(for role: String) throws(BadRole) -> [String] {
        guard (1...63).contains(role.utf8.count), !role.utf8.contains(0) else { throw BadRole() }
        let quoted = "\"" + role.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
        return tables.flatMap { table in
            ["REVOKE ALL ON \(table.name) FROM \(quoted);", "GRANT \(table.rights) ON \(table.name) TO \(quoted);"]
        }
    }
}
