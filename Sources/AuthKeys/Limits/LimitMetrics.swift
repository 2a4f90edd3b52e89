import Metrics

/// The metrics of limits.
struct LimitMetrics: Sendable {
    let allowed = Self.decisions("allowed")
    let limited = Self.decisions("limited")
    let reported = Self.decisions("reported")
    /// Requests of limits that the table had no room for.
    let overflowed = Counter(label: "keyward_limit_overflows_total")
    let overdrawn = FloatingPointCounter(label: "keyward_limit_overdrawn_units_total")
    let creditsSpent = Counter(label: "keyward_credits_spent_total")
    let statements = Counter(label: "keyward_limit_statements_total")
    let rows = Counter(label: "keyward_limit_rows_total")
    let sync = Timer(label: "keyward_limit_sync_seconds")
    let lag = Gauge(label: "keyward_limit_lag_seconds")
    let cells = Gauge(label: "keyward_limit_cells")
    let away = Gauge(label: "keyward_limit_away")

    private static func decisions(_ outcome: String) -> Counter {
        Counter(label: "keyward_limit_decisions_total", dimensions: [("outcome", outcome)])
    }
}
