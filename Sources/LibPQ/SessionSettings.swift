/// The settings of every session, independent of the defaults of server, database and role.
///
/// With them, statements have the same meaning, and work, on every server. The list is derived from all settings of
/// PostgreSQL 13 to 18 that a user can change (`pg_settings`, contexts `user` and `superuser`). docs/operations.md
/// gives the reason for each setting that is, or is not, in the list.
enum SessionSettings {
    static let fixed: [(name: String, value: String)] = [
        // Transactions: what they see. The operator decides if they can write.
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"),
        ("session_replication_role", "origin"),
        // Time limits: the caller has its own, and cancels. A transaction that a stalled process leaves open ends after
        // a minute.
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("transaction_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("idle_in_transaction_session_timeout", "1min"),
        // The meaning of texts and operators.
        ("standard_conforming_strings", "on"),
        ("backslash_quote", "safe_encoding"),
        ("transform_null_equals", "off"),
        ("array_nulls", "on"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "1"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("TimeZone", "UTC"),
        ("timezone_abbreviations", "Default"),
        ("xmloption", "content"),
        ("xmlbinary", "base64"),
        ("quote_all_identifiers", "off"),
        // Complete results, and a session that survives an error.
        ("gin_fuzzy_search_limit", "0"),
        ("exit_on_error", "off"),
        ("check_function_bodies", "on"),
        ("plpgsql.extra_errors", "none"),
        // Notices are discarded on arrival.
        ("client_min_messages", "notice"),
    ]

    /// The script for a direct connection to PostgreSQL, for the whole session.
    ///
    /// The first statement is small enough to finish within any statement timeout.
    static let sessionScript = "SET statement_timeout = 0; \(assignments(isLocal: false))"

    /// The statements that begin each transaction on a connection through a transaction pooler.
    ///
    /// A `SET` of the transaction's own settings ends with the transaction. It must come first, because a SELECT takes
    /// a snapshot.
    static let transactionStatements = [
        "SET transaction_isolation = 'read committed'", assignments(isLocal: true),
    ]

    /// Returns a statement that changes the settings that differ, and skips those that this version of PostgreSQL
    /// lacks. Of `synchronous_commit`, only `off` is changed: an acknowledged commit has to survive a crash. The other
    /// values are the operator's choice among replicas.
    private static func assignments(isLocal: Bool) -> String {
        let rows = fixed.map { "('\($0.name)', '\($0.value)')" }.joined(separator: ", ")
        return """
            SELECT pg_catalog.set_config(name, value, \(isLocal)) FROM (VALUES \(rows), \
            ('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN 'on' END)) \
            AS wanted (name, value) WHERE pg_catalog.current_setting(name, true) <> value
            """
    }
}
