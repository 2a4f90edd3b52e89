import AuthKeys
import Logging
import Metrics
import NIOCore

/// Everything that one event loop of the gateway has: its client connections, its upstream connections, its tools. Belongs to
/// that loop; nothing of it is shared but `shared`.
final class GatewayLoop {
    let eventLoop: any EventLoop
    let configuration: GatewayConfiguration
    let gate: Gate
    let rewriter: RequestRewriter
    let pool: UpstreamPool
    let metrics: GatewayMetrics
    let shared: SharedState
    let logger: Logger
    let logsRequests: Bool
    let headLimits: HeadLimits
    let patience: Exchange.Patience
    var requestIDs = RequestIDSource()
    private var connections: [FrontConnection] = []
    private var ticks: RepeatedTask?
    private var drained: EventLoopPromise<Void>?

    private static let tick = TimeAmount.milliseconds(50)

    init(
        eventLoop: any EventLoop, configuration: GatewayConfiguration, verifier: KeyVerifier, time: TimeSource,
        metrics: GatewayMetrics, shared: SharedState, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.metrics = metrics
        self.shared = shared
        self.logger = logger
        gate = Gate(verifier: verifier, time: time, configuration: configuration)
        rewriter = RequestRewriter(configuration)
        pool = UpstreamPool(eventLoop: eventLoop, configuration: configuration, metrics: metrics)
        logsRequests = logger.logLevel <= .debug
        headLimits = HeadLimits(configuration.limits)
        patience = Exchange.Patience(configuration.timeouts)
    }

    /// Begins to look at deadlines. They are kept by one timer for all connections, which is late by at most its period.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in
            bound.value.tick(now: .now())
        }
    }

    /// Takes a connection in. False when there are too many, or the gateway shuts down.
    func add(_ connection: FrontConnection) -> Bool {
        let count = shared.connectionOpened()
        connection.place = connections.count
        connections.append(connection)
        return count <= configuration.limits.connections && drained == nil
    }

    func remove(_ connection: FrontConnection) {
        let place = connection.place
        guard place < connections.count, connections[place] === connection else { return }
        connections.swapAt(place, connections.count - 1)
        connections.removeLast()
        if place < connections.count { connections[place].place = place }
        shared.connectionClosed()
        if connections.isEmpty { drained?.succeed(()) }
    }

    /// Lets the exchanges under way end, and closes every connection when it has none. What is left after `limit` is cut.
    func drain(limit: TimeAmount) -> EventLoopFuture<Void> {
        if let drained { return drained.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        drained = promise
        for connection in connections { connection.drain() }
        if connections.isEmpty { promise.succeed(()) }
        let cut = eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            for connection in self?.connections ?? [] { connection.cut() }
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in
            cut.cancel()
            self.ticks?.cancel()
            self.pool.shutDown()
        }
        return promise.futureResult
    }

    /// Counts a failure of the upstream, and warns of it unless somebody just did.
    func noteFailure(_ reason: GatewayMetrics.UpstreamFailure, id: RequestID) {
        metrics.failed(reason)
        guard shared.mayWarn(now: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) else { return }
        logger.warning("upstream failed", metadata: ["reason": "\(reason.rawValue)", "request_id": "\(id)"])
    }

    private func tick(now: NIODeadline) {
        for connection in connections where connection.isDue(now) { connection.expire(now: now) }
        pool.closeIdle(now: now)
        metrics.inFlight.record(shared.requestCount)
        metrics.connections.record(shared.connectionCount)
    }
}

extension Exchange.Patience {
    init(_ timeouts: GatewayConfiguration.Timeouts) {
        self.init(
            connect: TimeAmount(timeouts.connect), responseHead: TimeAmount(timeouts.responseHead),
            idle: TimeAmount(timeouts.idle), keepAlive: TimeAmount(timeouts.keepAlive),
            requestHead: TimeAmount(timeouts.requestHead))
    }
}
