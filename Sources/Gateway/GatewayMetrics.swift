import Metrics

/// The gateway's metrics. Each metric handler is created once.
struct GatewayMetrics: Sendable {
    /// The reason for which a client did not get a complete response from the upstream.
    enum UpstreamFailure: String, CaseIterable {
        case unreachable, reset, timeout, aborted
    }

    private let answered: [Counter] = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(Self.requests)
    private let abandoned = Self.requests("499")
    private let failures: [Counter] = UpstreamFailure.allCases.map {
        Counter(label: "keyward_upstream_failures_total", dimensions: [("reason", $0.rawValue)])
    }
    /// Upstreams that were ejected for a while after consecutive failures.
    let ejections = Counter(label: "keyward_upstream_ejections_total")
    private let cuts: [Counter] = ["exchange", "stream", "tunnel"].map {
        Counter(label: "keyward_exchanges_cut_total", dimensions: [("kind", $0)])
    }
    private let evictions: [Counter] = ["exchange", "stream", "tunnel"].map {
        Counter(label: "keyward_exchanges_evicted_total", dimensions: [("kind", $0)])
    }
    /// Requests that were refused because their key has too many in flight.
    let shareRefusals = Counter(label: "keyward_share_refusals_total")
    /// Responses whose cost could not be read.
    let unreadableCosts = Counter(label: "keyward_cost_unreadable_total")
    let seconds = Timer(label: "keyward_gateway_request_seconds")
    let inFlight = Gauge(label: "keyward_gateway_in_flight")
    let connections = Gauge(label: "keyward_gateway_connections")
    let upstreamConnections = Counter(label: "keyward_upstream_connections_total")

    /// Counts a request by the status of its response; 499 if the client left before it ended.
    @inline(__always)
    func request(status: Int, nanoseconds: Int64) {
        // A client treats a status beyond 599 as 5xx (RFC 9110 section 15).
        let kind = min(status / 100, 5) - 1
        if status == 499 {
            abandoned.increment()
        } else if answered.indices.contains(kind) {
            answered[kind].increment()
        }
        seconds.recordNanoseconds(nanoseconds)
    }

    /// Counts an exchange that was cut because its key became invalid.
    func cut(_ stage: Exchange.Stage) {
        cuts[Self.kind(of: stage)].increment()
    }

    /// Counts an exchange that was evicted in favour of others.
    func evicted(_ stage: Exchange.Stage) {
        evictions[Self.kind(of: stage)].increment()
    }

    private static func kind(of stage: Exchange.Stage) -> Int {
        switch stage {
        case .responding: 1
        case .tunneling: 2
        default: 0
        }
    }

    func failed(_ reason: UpstreamFailure) {
        for (other, counter) in zip(UpstreamFailure.allCases, failures) where other == reason { counter.increment() }
    }

    private static func requests(_ status: String) -> Counter {
        Counter(label: "keyward_gateway_requests_total", dimensions: [("status", status)])
    }
}
