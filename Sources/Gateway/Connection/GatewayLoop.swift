import AuthKeys
import HTTPCredentials
import Listening
import Logging
import Metrics
import NIOCore
import NIOSSL
import RequestLog

/// The state of one event loop of the gateway: its client connections, its upstream connections and its helpers.
/// Belongs to that loop; only `shared` is shared with other loops.
final class GatewayLoop {
    let eventLoop: any EventLoop
    let configuration: GatewayConfiguration
    let gate: Gate
    let router: Router<UpstreamGroup>
    /// The part of self-service that needs the database.
    let selfService: (any SelfService)?
    let metrics: GatewayMetrics
    let shared: SharedState
    let logger: Logger
    let logsRequests: Bool
    /// True if requests leave a line in the request log.
    let keepsLog: Bool
    /// True if responses may state the cost of their request.
    let readsCosts: Bool
    let headLimits: HeadLimits
    let timeouts: Exchange.Timeouts
    var requestIDs = RequestIDSource()
    var tunnels: FairShare<Account>
    private(set) var connections: [FrontConnection] = []
    /// The connections of clients, with any protocol.
    private var sockets: [ObjectIdentifier: any Channel] = [:]
    /// Connections in their TLS handshake, and connections that carry streams. Both have to be notified when the
    /// gateway shuts down.
    private var handshaking: Set<ObjectIdentifier> = []
    private var multiplexed: Set<ObjectIdentifier> = []
    private var isServing = true
    private let time: TimeSource
    private var usage = UsageLedger()
    private let recorder: UsageRecorder?
    var requestLog: RequestLogger?
    /// The index revision at the last check of the keys of running exchanges, and the time of that check.
    private var seenRevision: UInt64 = 0
    private var lastRecheck = NIODeadline.uptimeNanoseconds(0)
    private var ticks: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private var hasDrained = false

    private static let tick = TimeAmount.milliseconds(50)
    private static let recheckInterval = TimeAmount.milliseconds(200)

    init(
        eventLoop: any EventLoop, configuration: GatewayConfiguration, verifier: KeyVerifier,
        attempts: FailedAttempts?, usage: UsageRecorder?, log: RequestLog?, selfService: (any SelfService)?,
        time: TimeSource, upstreamTLS: NIOSSLContext?, metrics: GatewayMetrics, shared: SharedState, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        recorder = usage
        self.selfService = selfService
        keepsLog = log != nil
        requestLog = log.map { RequestLogger(log: $0, producers: max(1, configuration.threads)) }
        readsCosts = configuration.costField != nil || configuration.costUsage != nil
        self.metrics = metrics
        self.shared = shared
        self.logger = logger
        gate = Gate(verifier: verifier, attempts: attempts, time: time, configuration: configuration)
        self.time = time
        router = Router(
            configuration.routes.map { route in
                (
                    route.prefix,
                    UpstreamGroup(
                        eventLoop: eventLoop, route: route, configuration: configuration, tls: upstreamTLS,
                        metrics: metrics, names: log?.upstreams, logger: logger)
                )
            })
        logsRequests = logger.logLevel <= .debug
        headLimits = HeadLimits(configuration.limits)
        tunnels = FairShare(limit: configuration.limits.tunnelsPerLoop)
        var timeouts = Exchange.Timeouts(configuration.timeouts)
        timeouts.uploadStride = configuration.limits.uploadBytesPerIdleTime
        self.timeouts = timeouts
    }

    /// Starts the timer that checks deadlines. One timer serves all connections; an expiry is late by at most its
    /// period.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in
            bound.value.tick(now: .now())
        }
    }

    /// The result of the admission of a client's connection.
    enum Admission {
        case admitted
        /// There are too many connections: the client gets a 503.
        case refused
        /// There are far too many connections, or the gateway is shutting down.
        case closed
    }

    /// Counts a client's connection until it closes.
    func admit(_ channel: any Channel) -> Admission {
        let count = shared.connectionOpened()
        let identifier = ObjectIdentifier(channel)
        sockets[identifier] = channel
        channel.closeFuture.assumeIsolated().whenComplete { _ in
            self.sockets[identifier] = nil
            self.handshaking.remove(identifier)
            self.multiplexed.remove(identifier)
            self.shared.connectionClosed()
            self.endDrainIfEmpty()
        }
        let limit = configuration.limits.connections
        if drained != nil || count > limit + limit / 8 { return .closed }
        return count > limit ? .refused : .admitted
    }

    /// True if nothing new is to begin.
    var isDraining: Bool { drained != nil }

    func beginsHandshake(_ channel: any Channel) {
        handshaking.insert(ObjectIdentifier(channel))
    }

    func endsHandshake(_ channel: any Channel) {
        handshaking.remove(ObjectIdentifier(channel))
    }

    func carriesStreams(_ channel: any Channel) {
        multiplexed.insert(ObjectIdentifier(channel))
    }

    /// Adds a connection or a stream. Returns false if the gateway is shutting down. Streams are still accepted then,
    /// because a client may open them until it receives GOAWAY.
    func add(_ connection: FrontConnection, isStream: Bool) -> Bool {
        connection.index = connections.count
        connections.append(connection)
        return !isDraining || isStream
    }

    func remove(_ connection: FrontConnection) {
        let index = connection.index
        guard index < connections.count, connections[index] === connection else { return }
        connections.swapAt(index, connections.count - 1)
        connections.removeLast()
        if index < connections.count { connections[index].index = index }
        endDrainIfEmpty()
    }

    private func endDrainIfEmpty() {
        guard connections.isEmpty, sockets.isEmpty, let drained, !hasDrained else { return }
        hasDrained = true
        drained.succeed(())
    }

    /// Lets running exchanges end, and closes each connection once it has none. Connections that are left after `limit`
    /// are aborted.
    func drain(limit: TimeAmount) -> EventLoopFuture<Void> {
        if let drained { return drained.futureResult }
        let promise = eventLoop.makePromise(of: Void.self)
        drained = promise
        for connection in connections { connection.drain() }
        for identifier in handshaking { sockets[identifier]?.abort() }
        for identifier in multiplexed {
            sockets[identifier]?.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        endDrainIfEmpty()
        let cut = eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
            for channel in self?.sockets.values ?? [:].values { channel.abort() }
        }
        promise.futureResult.assumeIsolated().whenComplete { _ in
            cut.cancel()
            self.ticks?.cancel()
            self.handOverUsage()
            self.requestLog?.close()
            for group in self.router.destinations { group.shutDown() }
        }
        return promise.futureResult
    }

    /// Counts a request that a valid key authenticated.
    @inline(__always)
    func countUse(
        of key: AdmittedKey, _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded
    ) {
        guard recorder != nil, usage.count(key.digest, of: key.id, at: key.verifiedAt) else { return }
        usage.note(
            key.digest, address: forwarded.client(head, bytes: bytes),
            agent: head.userAgent(in: bytes).flatMap { AgentName.read($0) })
    }

    /// The wall-clock time.
    func now() -> Timestamp { time.now() }

    /// Gives the recorder the usage that this loop has counted.
    func handOverUsage() {
        if !usage.isEmpty { recorder?.add(usage.take()) }
    }

    /// Counts a failure of the upstream. Logs a warning unless one was logged within the last second.
    func noteFailure(_ reason: GatewayMetrics.UpstreamFailure, _ cause: UpstreamCause, of record: RequestRecord) {
        metrics.failed(reason)
        guard shared.warnings.isDue() else { return }
        logger.warning(
            "upstream failed",
            metadata: [
                "reason": "\(reason.rawValue)", "cause": "\(cause)", "route": "\(record.group?.route ?? "-")",
                "upstream": "\(record.group?.upstream(of: record.targets.last)?.authority ?? "-")",
                "request_id": "\(record.id)",
            ])
    }

    /// Ends exchanges whose keys are no longer valid. The loop polls: the index revision shows changes, and the expiry
    /// time of each key is known.
    private func recheckKeys(now: NIODeadline) {
        lastRecheck = now
        let revision = gate.verifier.index.revision
        let hasChanges = revision != seenRevision
        seenRevision = revision
        let time = time.now()
        let wasServing = isServing
        isServing = gate.verifier.isServing
        if wasServing, !isServing {
            for connection in connections { connection.endUnverified() }
        }
        for connection in connections where connection.isDoubtful(hasChanges: hasChanges, now: time) {
            connection.recheckKey(now: time)
        }
    }

    private func tick(now: NIODeadline) {
        for connection in connections where connection.isDue(now) { connection.expire(now: now) }
        for group in router.destinations { group.closeIdle(now: now) }
        relieve(now: now)
        requestLog?.tick(at: time.now())
        if configuration.cutsRevoked, now - lastRecheck >= Self.recheckInterval { recheckKeys(now: now) }
        metrics.inFlight.record(shared.requestCount)
        metrics.connections.record(shared.connectionCount)
    }
}

extension Exchange.Timeouts {
    init(_ timeouts: GatewayConfiguration.Timeouts) {
        self.init(
            connect: TimeAmount(timeouts.connect), responseHead: TimeAmount(timeouts.responseHead),
            idle: TimeAmount(timeouts.idle), keepAlive: TimeAmount(timeouts.keepAlive),
            requestHead: TimeAmount(timeouts.requestHead), tunnelIdle: TimeAmount(timeouts.tunnelIdle))
    }
}
