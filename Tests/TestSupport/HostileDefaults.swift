/// Defaults that an operator may have configured, and that change the meaning or success of statements.
public enum HostileDefaults {
    /// A different value for each setting that a session of Keyward sets. Time limits are long enough not to be
    /// reached.
    public static let ofSetSettings = [
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on", "session_replication_role": "replica", "lock_timeout": "10min",
        "transaction_timeout": "10min", "idle_session_timeout": "10min", "idle_in_transaction_session_timeout": "10min",
        "statement_timeout": "10min", "standard_conforming_strings": "off", "backslash_quote": "off",
        "transform_null_equals": "on", "array_nulls": "off", "bytea_output": "escape", "extra_float_digits": "-15",
        "DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard", "TimeZone": "Asia/Kathmandu",
        "timezone_abbreviations": "India", "xmloption": "document", "xmlbinary": "hex", "quote_all_identifiers": "on",
        "gin_fuzzy_search_limit": "1", "exit_on_error": "on", "check_function_bodies": "off",
        "plpgsql.extra_errors": "all", "client_min_messages": "error",
    ]

    /// The same for PostgreSQL 15, plus settings that a session leaves unchanged.
    public static let all = ofSetSettings.filter { $0.key != "transaction_timeout" }.merging([
        "escape_string_warning": "off", "plpgsql.variable_conflict": "use_variable", "client_min_messages": "debug1",
        "client_encoding": "latin1", "synchronous_commit": "off", "row_security": "off", "enable_seqscan": "off",
        "plan_cache_mode": "force_generic_plan", "default_statistics_target": "1", "work_mem": "64kB",
        "default_text_search_config": "simple", "lc_numeric": "C", "lc_time": "C", "jit": "off",
    ]) { $1 }
}
