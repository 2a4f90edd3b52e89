import Metrics

/// The gateway's metrics. Every handler is made once.
struct GatewayMetrics: Sendable {
    /// Why a request did not get the upstream's whole response.
    enum UpstreamFailure: String, CaseIterable {
        case unreachable, reset, timeout, aborted
    }

    private let answered: [Counter] = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(Self.requests)
    private let abandoned = Self.requests("499")
    private let failures: [Counter] = UpstreamFailure.allCases.map {
        Counter(label: "keyward_upstream_failures_total", dimensions: [("reason", $0.rawValue)])
    }
    let seconds = Timer(label: "keyward_gateway_request_seconds")
    let inFlight = Gauge(label: "keyward_gateway_in_flight")
    let connections = Gauge(label: "keyward_gateway_connections")
    let upstreamConnections = Counter(label: "keyward_upstream_connections_total")

    /// Counts a request by the status of its response; 499 when the client left before it ended.
    @inline(__always)
    func request(status: Int, nanoseconds: Int64) {
        let kind = status / 100 - 1
        if status == 499 {
            abandoned.increment()
        } else if answered.indices.contains(kind) {
            answered[kind].increment()
        }
        seconds.recordNanoseconds(nanoseconds)
    }

    func failed(_ reason: UpstreamFailure) {
        for (other, counter) in zip(UpstreamFailure.allCases, failures) where other == reason { counter.increment() }
    }

    private static func requests(_ status: String) -> Counter {
        Counter(label: "keyward_gateway_requests_total", dimensions: [("status", status)])
    }
}
