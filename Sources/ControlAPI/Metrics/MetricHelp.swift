/// The HELP lines of `/metrics`.
///
/// swift-metrics has only names and labels, so the texts are kept here. A test with `promtool` finds metrics without a
/// text.
enum MetricHelp {
    static func text(of name: String) -> String? { texts[name] }

    private static let texts = [
        "keyward_audit_refusals_dropped_total":
            "Refused admin requests that are counted here and not written into the trail.",
        "keyward_audit_seal_failures_total": "Attempts to seal the audit trail that failed.",
        "keyward_audit_sealed_total": "Events of the audit trail that this instance sealed.",
        "keyward_build_info": "1, with the version of Keyward as a label.",
        "keyward_control_compute_waiting": "Jobs of the control listener that wait for a compute thread.",
        "keyward_control_connections": "Open connections of the control listener.",
        "keyward_control_connections_evicted_total":
            "Connections of the control listener that were closed for new ones.",
        "keyward_control_connections_refused_total":
            "Connections of the control listener that were refused beyond its limits.",
        "keyward_control_request_seconds": "Time from a request of the control listener to its response, by route.",
        "keyward_control_requests_total": "Requests of the control listener, by route, method and status.",
        "keyward_disputed_ends": "Revocations that this instance knows and the database lacks.",
        "keyward_ends_not_written_back_total": "Revocations lost by the database that could not be written back.",
        "keyward_ends_written_back_total": "Revocations lost by the database that were written back.",
        "keyward_exchanges_cut_total": "Running exchanges that were cut because their key was revoked or expired.",
        "keyward_exchanges_evicted_total": "Stalled exchanges that were closed in favour of others.",
        "keyward_feed_failures_total": "Reads of the change feed that failed.",
        "keyward_feed_full_loads_total": "Loads of all keys from the database.",
        "keyward_feed_rereads_total": "Reads of the change feed that restarted at an earlier point.",
        "keyward_feed_skipped_rows": "Rows of the database that cannot be decoded.",
        "keyward_feed_sync_seconds": "Time that a read of the change feed takes.",
        "keyward_gateway_connections": "Open connections of clients to the gateway.",
        "keyward_gateway_in_flight": "Requests that the gateway is processing.",
        "keyward_gateway_request_seconds": "Time from the head of a request of the gateway to the end of its response.",
        "keyward_gateway_requests_total": "Requests of the gateway, by status.",
        "keyward_heartbeat_failures_total": "Heartbeats of this instance that could not be written.",
        "keyward_index_age_seconds": "Time since the database was last read.",
        "keyward_index_bytes": "Memory of the index of keys.",
        "keyward_index_keys": "Secrets in the index of keys.",
        "keyward_instances": "Live instances on the same database, this one included.",
        "keyward_log_lines_dropped_total": "Lines of the log that were dropped because no one read them.",
        "keyward_policy_reports_total": "Requests that a report-only rule would have refused, by rule.",
        "keyward_pool_connections_idle": "Open connections to PostgreSQL that are not in use.",
        "keyward_pool_connections_leased": "Open connections to PostgreSQL that are in use.",
        "keyward_pool_failures_total": "Connections to PostgreSQL that could not be opened.",
        "keyward_pool_waiting": "Tasks that wait for a connection to PostgreSQL.",
        "keyward_reconciliation_differences_total":
            "Keys that differed between memory and database without a change in the feed.",
        "keyward_reconciliation_passes_total": "Comparisons of all keys in memory with the database.",
        "keyward_access_log_dropped_total": "Requests that are missing from the access log.",
        "keyward_access_log_lines_total": "Lines of the access log that were written.",
        "keyward_request_rollup_write_failures_total": "Attempts to write the roll-ups of requests that failed.",
        "keyward_request_rollup_write_seconds": "Time that a write of the roll-ups of requests takes.",
        "keyward_request_log_buffered_bytes": "Memory of the lines of the request log that are not written yet.",
        "keyward_request_log_bytes": "Size of the request log in the database.",
        "keyward_request_log_dropped_total": "Lines of the request log that were dropped, by reason.",
        "keyward_request_log_failures_total": "Attempts to write the request log that failed.",
        "keyward_request_log_lag_seconds": "Age of the oldest line of the request log that is not written.",
        "keyward_request_log_rows_total": "Lines of the request log that were written.",
        "keyward_request_log_sampled_total": "Requests that another line of the request log represents.",
        "keyward_request_log_write_seconds": "Time that a transaction of the request log takes.",
        "keyward_share_refusals_total": "Requests that were refused because their key already has its share.",
        "keyward_unknown_key_statements_total": "Statements that look up keys that are not in memory.",
        "keyward_upstream_connections_total": "Connections to upstreams that were opened.",
        "keyward_upstream_ejections_total":
            "Upstreams that were temporarily excluded from balancing because they failed.",
        "keyward_upstream_failures_total": "Requests that failed at an upstream, by reason.",
        "keyward_usage_write_failures_total": "Attempts to write the use of keys that failed.",
        "keyward_usage_write_seconds": "Time that a write of the use of keys takes.",
        "keyward_verifications_total": "Verified credentials, by outcome.",
        "process_cpu_seconds_total": "Total user and system CPU time in seconds.",
        "process_max_fds": "Maximum number of open file descriptors.",
        "process_open_fds": "Number of open file descriptors.",
        "process_resident_memory_bytes": "Resident memory size in bytes.",
        "process_start_time_seconds": "Start time of the process since the Unix epoch in seconds.",
    ]
}
