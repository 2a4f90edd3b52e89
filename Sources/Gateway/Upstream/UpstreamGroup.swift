import Logging
import Metrics
import NIOCore
import NIOSSL
import RequestLog

/// The upstreams of one route on one event loop. Picks one for each request, and another if it cannot be reached.
final class UpstreamGroup {
    private(set) var pools: [UpstreamPool] = []
    private var balancer: Balancer
    private let metrics: GatewayMetrics
    private let logger: Logger
    /// The prefix of its route.
    let route: String
    /// The numbers of the upstreams' names in the request log.
    private let logNumbers: [UInt16]

    init(
        eventLoop: any EventLoop, route: Route, configuration: GatewayConfiguration, tls: NIOSSLContext?,
        metrics: GatewayMetrics, names: UpstreamNames?, logger: Logger
    ) {
        logNumbers = route.upstreams.map { names?.number(of: $0.authority) ?? 0 }
        self.route = route.prefix.isEmpty ? "/" : route.prefix
        balancer = Balancer(targets: route.upstreams.count)
        self.metrics = metrics
        self.logger = logger
        pools = route.upstreams.enumerated().map { number, upstream in
            UpstreamPool(
                group: self, number: number, eventLoop: eventLoop, upstream: upstream, configuration: configuration,
                tls: upstream.isSecure ? tls : nil, metrics: metrics)
        }
    }

    /// Acquires a connection for a request. Calls `upstreamReady` or `upstreamFailed`, now or later.
    func acquire(for request: UpstreamRequest, fresh: Bool) {
        guard pools.count > 1 else { return pools[0].acquire(for: request, fresh: fresh) }
        // A retry after a reused connection closed stays with its upstream.
        if let target = request.targets.last, fresh { return pools[target].acquire(for: request, fresh: true) }
        if !acquireUntried(for: request) { request.downstream.upstreamFailed(.upstreamUnreachable, .noneLeft) }
    }

    /// Cancels a request that no longer waits for a connection.
    func cancel(_ request: UpstreamRequest) {
        for pool in pools { pool.cancel(request) }
    }

    /// True if a request waits because of the connections that its own key holds.
    func holdsBack(_ request: UpstreamRequest) -> Bool { pools.contains { $0.holdsBack(request) } }

    /// Notes that a connection was opened, or that a reused one has responded.
    func works(_ pool: UpstreamPool) {
        if pools.count > 1 { balancer.succeeded(pool.number) }
    }

    /// Returns the upstream to which a request was last sent; nil if it was sent to none.
    func upstream(of target: Int?) -> Upstream? {
        if pools.count == 1 { return pools[0].upstream }
        return target.map { pools[$0].upstream }
    }

    /// Returns the number of the name of the upstream to which a request was last sent; 0 if it was sent to none.
    func logNumber(of target: Int?) -> UInt16 {
        pools.count == 1 ? logNumbers[0] : target.map { logNumbers[$0] } ?? 0
    }

    /// Handles a connection that could not be opened for a request.
    func connectFailed(_ pool: UpstreamPool, for request: UpstreamRequest, answer: Answer, cause: UpstreamCause) {
        if pools.count > 1, balancer.failed(pool.number, now: .now()) {
            metrics.ejections.increment()
            logger.warning("upstream ejected", metadata: ["upstream": "\(pool.upstream.authority)"])
        }
        guard request.isWaiting else { return }
        if pools.count > 1, acquireUntried(for: request) { return }
        request.downstream.upstreamFailed(answer, cause)
    }

    func closeIdle(now: NIODeadline) {
        for pool in pools { pool.closeIdle(now: now) }
    }

    func shutDown() {
        for pool in pools { pool.shutDown() }
    }

    private func acquireUntried(for request: UpstreamRequest) -> Bool {
        var request = request
        let now = NIODeadline.now()
        guard let target = balancer.pick(now: now, excluding: request.targets.bits, load: { self.pools[$0].load })
        else { return false }
        request.targets.insert(target)
        request.downstream.upstreamPicked(request.targets, now: now)
        pools[target].acquire(for: request, fresh: false)
        return true
    }
}
