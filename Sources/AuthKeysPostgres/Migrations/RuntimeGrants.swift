import LibPQ

/// The privileges of a role that runs Keyward, or only verifies keys, but does not own the tables.
public enum RuntimeGrants {
    /// The purpose of the role.
    public enum Purpose: Sendable {
        case serve
        /// Verifies keys in another program's process, and counts their use.
        case verify

        var tables: [(name: String, rights: String)] {
            switch self {
            case .serve: RuntimeGrants.tables
            case .verify: RuntimeGrants.verificationTables
            }
        }

        var functions: [String] {
            switch self {
            case .serve: RuntimeGrants.functions
            case .verify: [RuntimeGrants.wholeness]
            }
        }
    }

    /// The columns of an audit event that an insertion sets. A trigger sets the time and the transaction.
    package static let auditColumns =
        "actor, actor_name, address, request_id, action, key_id, owner, outcome, code, changes"

    /// The privileges, table by table. A test compares the list with a migrated database.
    static let tables: [(name: String, rights: String)] = [
        ("admin_keys", "SELECT, INSERT, UPDATE"),
        // Without the id column: a role that may choose ids could occupy future ones.
        ("audit_events", "SELECT, INSERT (\(auditColumns))"),
        ("audit_seals", "SELECT, INSERT"),
        ("auth_keys", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_credits", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_schemes", "SELECT, INSERT"),
        ("auth_key_secret_usage", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_secrets", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_tombstones", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_usage", "SELECT, INSERT, UPDATE, DELETE"),
        ("auth_key_usage_days", "SELECT, INSERT, UPDATE, DELETE"),
        ("feed_epochs", "SELECT, INSERT, DELETE"),
        ("idempotency_claims", "SELECT, INSERT, UPDATE, DELETE"),
        (instances, "SELECT, INSERT, UPDATE, DELETE"),
        ("keyward_migrations", "SELECT"),
        ("limit_levels", "SELECT, INSERT, UPDATE, DELETE"),
        ("limit_plans", "SELECT, INSERT, UPDATE, DELETE"),
        ("limit_quotas", "SELECT, INSERT, UPDATE, DELETE"),
        ("limit_revision", "SELECT, INSERT, UPDATE"),
        ("limit_slots", "SELECT, INSERT, UPDATE, DELETE"),
        ("owner_limits", "SELECT, INSERT, UPDATE, DELETE"),
        ("request_hours", "SELECT, INSERT, UPDATE"),
        ("request_log", "SELECT, INSERT"),
        ("request_log_names", "SELECT, INSERT"),
        ("request_minutes", "SELECT, INSERT, UPDATE"),
        ("request_rollup_writers", "SELECT, INSERT, UPDATE, DELETE"),
    ]

    /// The functions that statements and triggers call. Every role may call them, unless the privilege was revoked from
    /// `PUBLIC`.
    private static let functions = [
        "auth_key_terms(text[], jsonb)", "request_log_tend(integer, integer, bigint)", wholeness,
    ]

    private static let wholeness = "require_whole_database(regclass)"

    /// The table of the heartbeats. Verification works without it.
    static let instances = "instances"

    private static let verificationTables: [(name: String, rights: String)] = [
        ("auth_keys", "SELECT"),
        // Without the columns that define a refill.
        ("auth_key_credits", "SELECT, UPDATE (remaining, spent, refilled_at)"),
        ("auth_key_schemes", "SELECT"),
        ("auth_key_secret_usage", "SELECT, INSERT, UPDATE"),
        ("auth_key_secrets", "SELECT"),
        ("auth_key_tombstones", "SELECT"),
        // Without the columns that lists filter and sort by, so that this role cannot hide a key from its admins.
        ("auth_key_usage", "SELECT"),
        ("auth_key_usage", "UPDATE (last_used_at, last_address, last_agent, requests)"),
        ("auth_key_usage_days", "SELECT, INSERT, UPDATE"),
        ("feed_epochs", "SELECT"),
        // An instance writes its row, and removes it and those of instances that no longer run.
        (instances, "SELECT, INSERT, UPDATE (seen, synced, applied, live), DELETE"),
        ("keyward_migrations", "SELECT"),
        ("limit_levels", "SELECT, INSERT, UPDATE, DELETE"),
        ("limit_plans", "SELECT"),
        ("limit_quotas", "SELECT, INSERT, UPDATE, DELETE"),
        ("limit_revision", "SELECT"),
        ("limit_slots", "SELECT, INSERT, UPDATE, DELETE"),
        ("owner_limits", "SELECT"),
        ("request_hours", "SELECT, INSERT, UPDATE"),
        ("request_log", "INSERT"),
        // A writer that lost the result of a commit looks for its first line.
        ("request_log", "SELECT (at, id)"),
        ("request_log_names", "SELECT, INSERT"),
        ("request_minutes", "SELECT, INSERT, UPDATE"),
        ("request_rollup_writers", "SELECT, INSERT, UPDATE, DELETE"),
    ]

    /// The tables of the request log and its roll-ups. A role may verify keys without them.
    static let logTables: Set = [
        "request_hours", "request_log", "request_log_names", "request_minutes", "request_rollup_writers",
    ]

    /// The tables of limits and credits. A role may verify keys without them: its limits then hold in its own process
    /// only.
    static let limitTables: Set = [
        "auth_key_credits", "limit_levels", "limit_plans", "limit_quotas", "limit_revision", "limit_slots",
        "owner_limits",
    ]

    /// The role name is not valid.
    public struct BadRole: Error, CustomStringConvertible {
        public let description = "a role name must have 1 to 63 bytes and no NUL"
    }

    /// Returns one statement per table and function, for the owner to run in the schema of the tables. They first
    /// revoke the privileges that the role had.
    public static func statements(for role: String, to purpose: Purpose = .serve) throws(BadRole) -> [String] {
        guard (1...63).contains(role.utf8.count), !role.utf8.contains(0) else { throw BadRole() }
        let quoted = role.quotedIdentifier
        return tables.map { "REVOKE ALL ON \($0.name) FROM \(quoted);" }
            + functions.map { "REVOKE ALL ON FUNCTION \($0) FROM \(quoted);" }
            + purpose.tables.map { "GRANT \($0.rights) ON \($0.name) TO \(quoted);" }
            + purpose.functions.map { "GRANT EXECUTE ON FUNCTION \($0) TO \(quoted);" }
    }
}
