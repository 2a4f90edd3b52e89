import AuthKeys
import Logging
import Metrics
import NIOCore
import NIOSSL

/// Everything that one event loop of the gateway has: its client connections, its upstream connections, its tools. Belongs to
/// that loop; nothing of it is shared but `shared`.
final class GatewayLoop {
    let eventLoop: any EventLoop
    let configuration: GatewayConfiguration
    let gate: Gate
    let router: Router<UpstreamGroup>
    let metrics: GatewayMetrics
    let shared: SharedState
    let logger: Logger
    let logsRequests: Bool
    let headLimits: HeadLimits
    let timeouts: Exchange.Timeouts
    var requestIDs = RequestIDSource()
    var tunnels: FairShare<Account>
    private(set) var connections: [FrontConnection] = []
    /// Connections of clients, whatever is spoken on them.
    private var sockets: [ObjectIdentifier: any Channel] = [:]
    /// Those in their TLS handshake, and those that carry streams: they have to be told when the gateway shuts down.
    private var handshaking: Set<ObjectIdentifier> = []
    private var multiplexed: Set<ObjectIdentifier> = []
    private var isServing = true
    private let time: TimeSource
    private var usage = UsageLedger()
    private let recorder: UsageRecorder?
    /// The recorder's round that was answered last.
    private var usageRound: UInt64 = 0
    /// How often the index had changed when the keys of what runs were last looked at, and when that was.
    private var seenRevision: UInt64 = 0
    private var lastRecheck = NIODeadline.uptimeNanoseconds(0)
    private var ticks: RepeatedTask?
    private var drained: EventLoopPromise<Void>?
    private var hasDrained = false

    private static let tick = TimeAmount.milliseconds(50)
    private static let recheckInterval = TimeAmount.milliseconds(200)

    init(
        eventLoop: any EventLoop, configuration: GatewayConfiguration, verifier: KeyVerifier, usage: UsageRecorder?,
        time: TimeSource, upstreamTLS: NIOSSLContext?, metrics: GatewayMetrics, shared: SharedState, logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        recorder = usage
        self.metrics = metrics
        self.shared = shared
        self.logger = logger
        gate = Gate(verifier: verifier, time: time, configuration: configuration)
        self.time = time
        router = Router(
            configuration.routes.map { route in
                (
                    route.prefix,
                    UpstreamGroup(
                        eventLoop: eventLoop, route: route, configuration: configuration, tls: upstreamTLS,
                        metrics: metrics,
                        logger: logger)
                )
            })
        logsRequests = logger.logLevel <= .debug
        headLimits = HeadLimits(configuration.limits)
        tunnels = FairShare(limit: configuration.limits.tunnelsPerLoop)
        var timeouts = Exchange.Timeouts(configuration.timeouts)
        timeouts.uploadStride = configuration.limits.uploadBytesPerIdleTime
        self.timeouts = timeouts
    }

    /// Begins to look at deadlines. They are kept by one timer for all connections, which is late by at most its period.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in
            bound.value.tick(now: .now())
        }
    }

    /// What becomes of a client's connection.
    enum Admission {
        case admitted
        /// There are too many: it is told so.
        case refused
        /// There are far too many, or the gateway shuts down.
        case closed
    }

    /// Counts a client's connection in, until it closes.
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

    /// Whether nothing new is to begin.
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

    /// Takes a connection or a stream in. False when the gateway shuts down; but a client may open streams until it has heard
    /// of that.
    func add(_ connection: FrontConnection, isStream: Bool) -> Bool {
        connection.place = connections.count
        connections.append(connection)
        return !isDraining || isStream
    }

    func remove(_ connection: FrontConnection) {
        let place = connection.place
        guard place < connections.count, connections[place] === connection else { return }
        connections.swapAt(place, connections.count - 1)
        connections.removeLast()
        if place < connections.count { connections[place].place = place }
        endDrainIfEmpty()
    }

    private func endDrainIfEmpty() {
        guard connections.isEmpty, sockets.isEmpty, let drained, !hasDrained else { return }
        hasDrained = true
        drained.succeed(())
    }

    /// Lets the exchanges under way end, and closes every connection when it has none. What is left after `limit` is cut.
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
            for group in self.router.destinations { group.shutDown() }
        }
        return promise.futureResult
    }

    /// Counts a request that a key opened the door for.
    @inline(__always)
    func countUse(
        of digest: SecretDigest, _ keyID: KeyID, at now: Timestamp, _ head: borrowing RequestHead,
        bytes: UnsafeRawBufferPointer, from forwarded: Forwarded
    ) {
        guard recorder != nil, usage.count(digest, of: keyID, at: now) else { return }
        let agent = head.fields.lines.first { bytes.part($0.name).equals("user-agent") }
        usage.note(
            digest, address: forwarded.client(head, bytes: bytes),
            agent: agent.flatMap { AgentName.read(bytes.part($0.value)) })
    }

    private func handOverUsage() {
        if !usage.isEmpty { recorder?.add(usage.take()) }
    }

    /// Counts a failure of the upstream, and warns of it unless somebody just did.
    func noteFailure(_ reason: GatewayMetrics.UpstreamFailure, _ cause: UpstreamCause, of record: RequestRecord) {
        metrics.failed(reason)
        guard shared.mayWarn(now: Int64(clamping: NIODeadline.now().uptimeNanoseconds)) else { return }
        logger.warning(
            "upstream failed",
            metadata: [
                "reason": "\(reason.rawValue)", "cause": "\(cause)", "route": "\(record.group?.route ?? "-")",
                "upstream": "\(record.group?.upstream(of: record.target)?.authority ?? "-")",
                "request_id": "\(record.id)",
            ])
    }

    /// Ends what runs for keys that are good no more. Nobody has to tell: the index says that something changed, and when a
    /// key expires is known.
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
        if configuration.cutsRevoked, now - lastRecheck >= Self.recheckInterval { recheckKeys(now: now) }
        if let recorder, recorder.round != usageRound {
            usageRound = recorder.round
            handOverUsage()
        }
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
