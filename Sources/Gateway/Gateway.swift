public import AuthKeys
import Glibc
import Listening
public import Logging
public import NIOCore
import NIOPosix
import NIOSSL
public import RequestLog
public import ServiceLifecycle
import Synchronization

/// The data plane: a listener that forwards requests with a valid key to the upstream, and refuses all others.
///
/// Call `bind`, then `run`, which serves until graceful shutdown. At shutdown the gateway accepts nothing new, running
/// exchanges may end within the drain timeout, and `run` returns. Cancelling `run` aborts all exchanges at once.
public final class Gateway: Service {
    private struct Bound: Sendable {
        let channel: any Channel
        let group: MultiThreadedEventLoopGroup
        let loops: [NIOLoopBound<GatewayLoop>]
    }

    private let configuration: GatewayConfiguration
    private let verifier: KeyVerifier
    private let attempts: FailedAttempts?
    private let logger: Logger
    private let time: TimeSource
    private let usage: UsageRecorder?
    private let log: RequestLog?
    private let selfService: (any SelfService)?
    private let bound = Mutex<Bound?>(nil)
    /// Nil if the listener does not use TLS.
    private let serverTLS = Mutex<NIOSSLContext?>(nil)

    /// - Parameters:
    ///   - attempts: limits the attempts of each network to send a key that does not exist; nil for no limit.
    ///   - usage: records the use of each key; nil to record none.
    ///   - log: gets a line for each request; nil for no log.
    ///   - selfService: answers holders about their keys; nil to answer without the database.
    public init(
        configuration: GatewayConfiguration, verifier: KeyVerifier, attempts: FailedAttempts? = nil,
        usage: UsageRecorder? = nil, log: RequestLog? = nil, selfService: (any SelfService)? = nil, logger: Logger,
        time: TimeSource = .system
    ) {
        self.attempts = attempts
        self.usage = usage
        self.log = log
        self.selfService = selfService
        self.configuration = configuration
        self.verifier = verifier
        self.logger = logger
        self.time = time
    }

    /// The address on which the gateway listens; nil if it does not listen.
    public var localAddress: SocketAddress? {
        bound.withLock { $0?.channel.localAddress }
    }

    /// Starts to listen, and returns the address. Connections are accepted at once. Throws `GatewayError`.
    @discardableResult
    public func bind() async throws -> SocketAddress {
        guard bound.withLock({ $0 == nil }) else { throw GatewayError.alreadyBound }
        try reloadCertificate()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.threads))
        do {
            let loops = try await makeLoops(group)
            let channel = try await listen(group, loops: loops)
            guard let address = channel.localAddress else {
                throw GatewayError.cannotListen(
                    host: configuration.host, port: configuration.port, reason: "no address")
            }
            bound.withLock { $0 = Bound(channel: channel, group: group, loops: loops) }
            return address
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Reads the gateway's certificate and private key again; new connections use them. If that fails, the previous
    /// ones stay in use.
    public func reloadCertificate() throws(GatewayError) {
        guard let files = configuration.certificate else { return }
        let context = try TLSContexts.server(files)
        serverTLS.withLock { $0 = context }
    }

    /// Serves until shutdown. Binds first if necessary.
    public func run() async throws {
        if bound.withLock({ $0 == nil }) { try await bind() }
        guard let bound = bound.withLock({ $0 }) else { return }
        let counter = usage?.addCounter {
            let handovers = bound.loops.map { loop in loop.eventLoop.submit { loop.value.handOverUsage() } }
            for handover in handovers { try? await handover.get() }
        }
        let timeout = await shutdownTimeout()
        try? await bound.channel.close()
        let drains = bound.loops.map { loop in
            loop.eventLoop.flatSubmit { loop.value.drain(limit: timeout) }
        }
        for drain in drains { try? await drain.get() }
        // Each loop has handed over the rest of its usage.
        if let counter { usage?.removeCounter(counter) }
        try await bound.group.shutdownGracefully()
        self.bound.withLock { $0 = nil }
    }

    /// Waits for shutdown, and returns the time that running exchanges then have to end.
    private func shutdownTimeout() async -> TimeAmount {
        do {
            try await gracefulShutdown()
            return TimeAmount(configuration.timeouts.drain)
        } catch {
            return .zero
        }
    }

    private func makeLoops(_ group: MultiThreadedEventLoopGroup) async throws -> [NIOLoopBound<GatewayLoop>] {
        let metrics = GatewayMetrics()
        let shared = SharedState()
        let isSecure = configuration.routes.contains { $0.upstreams.contains(where: \.isSecure) }
        let upstreamTLS = isSecure ? try TLSContexts.client(configuration.upstreamTrust) : nil
        var loops: [NIOLoopBound<GatewayLoop>] = []
        for eventLoop in group.makeIterator() {
            let loop = eventLoop.submit { [configuration, verifier, attempts, usage, log, selfService, time, logger] in
                let loop = GatewayLoop(
                    eventLoop: eventLoop, configuration: configuration, verifier: verifier, attempts: attempts,
                    usage: usage, log: log, selfService: selfService, time: time,
                    upstreamTLS: upstreamTLS, metrics: metrics, shared: shared, logger: logger)
                loop.start()
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }
            loops.append(try await loop.get())
        }
        return loops
    }

    private func listen(
        _ group: MultiThreadedEventLoopGroup, loops: [NIOLoopBound<GatewayLoop>]
    ) async throws -> any Channel {
        let byEventLoop = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { [limit = configuration.limits.clientDescriptors, logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        AcceptGuard(limit: limit, listener: "gateway", logger: logger))
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            // TLS ends both directions at once.
            .childChannelOption(.allowRemoteHalfClosure, value: configuration.certificate == nil)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            // The kernel accepts little more than it can send, so writability shows that the client is reading.
            .childChannelOption(.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), value: 131_072)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 32_768, high: 131_072))
            .childChannelInitializer { channel in
                guard let loop = byEventLoop[ObjectIdentifier(channel.eventLoop)] else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture { try self.accept(channel, loop: loop.value) }
            }
        let (host, port) = (configuration.host, configuration.port)
        do {
            return try await bootstrap.bind(host: host, port: port).get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw GatewayError.addressInUse(host: host, port: port)
        } catch let error as IOError {
            throw GatewayError.cannotListen(host: host, port: port, reason: String(cString: strerror(error.errnoCode)))
        } catch {
            throw GatewayError.cannotListen(host: host, port: port, reason: "\(error)")
        }
    }

    /// Adds the handlers for a client's connection, or refuses it.
    private func accept(_ channel: any Channel, loop: GatewayLoop) throws {
        let pipeline = channel.pipeline.syncOperations
        let tls = serverTLS.withLock { $0 }
        switch loop.admit(channel) {
        case .closed: channel.close(promise: nil)
        // A TLS handshake is too expensive for a refusal.
        case .refused where tls != nil: channel.close(promise: nil)
        case .refused:
            try pipeline.addHandler(FrontConnection(loop: loop, peer: channel.remoteAddress, isRefused: true))
        case .admitted:
            guard let tls else {
                return try pipeline.addHandler(FrontConnection(loop: loop, peer: channel.remoteAddress))
            }
            try pipeline.addHandlers([NIOSSLServerHandler(context: tls), TLSFront(loop: loop)])
        }
    }
}
