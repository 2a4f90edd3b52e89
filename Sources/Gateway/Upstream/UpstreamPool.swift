import Metrics
import NIOCore
import NIOPosix
import NIOSSL

/// The connections of one event loop to one upstream. Belongs to that loop.
final class UpstreamPool {
    private let eventLoop: any EventLoop
    private unowned let group: UpstreamGroup
    /// The number of the upstream in its group.
    let number: Int
    let upstream: Upstream
    let rewriter: RequestRewriter
    private let tls: NIOSSLContext?
    private let address: SocketAddress?
    private let timeouts: GatewayConfiguration.Timeouts
    private let metrics: GatewayMetrics
    private var state: PoolState<UpstreamConnection, UpstreamRequest, Account>
    private var isShut = false
    let headLimits: HeadLimits

    init(
        group: UpstreamGroup, number: Int, eventLoop: any EventLoop, upstream: Upstream,
        configuration: GatewayConfiguration,
        tls: NIOSSLContext?, metrics: GatewayMetrics
    ) {
        self.group = group
        self.number = number
        self.eventLoop = eventLoop
        self.metrics = metrics
        self.upstream = upstream
        self.tls = tls
        rewriter = RequestRewriter(configuration, upstream: upstream)
        address = try? SocketAddress(ipAddress: upstream.host, port: upstream.port)
        timeouts = configuration.timeouts
        state = PoolState(limit: configuration.limits.upstreamConnectionsPerLoop)
        headLimits = HeadLimits(configuration.limits)
    }

    /// The number of requests that it serves, or that wait for it.
    var load: Int { state.load }

    /// Acquires a connection for a request. Calls `upstreamReady` or `UpstreamGroup.connectFailed`, now or later.
    func acquire(for request: UpstreamRequest, fresh: Bool) {
        if let grant = state.acquire(request, of: request.account, fresh: fresh) { carryOut(grant, for: request) }
    }

    private func carryOut(
        _ grant: PoolState<UpstreamConnection, UpstreamRequest, Account>.Grant, for request: UpstreamRequest
    ) {
        switch grant {
        case .reuse(let connection):
            connection.account = request.account
            request.downstream.upstreamReady(connection, isReused: true)
        case .connect: connect(for: request)
        }
    }

    private func serveWaiters() {
        while let (request, _, grant) = state.next() { carryOut(grant, for: request) }
    }

    /// Cancels a request that no longer waits for a connection.
    func cancel(_ request: UpstreamRequest) {
        state.cancel(request, of: request.account)
    }

    /// Takes back a connection whose exchange is complete.
    func release(_ connection: UpstreamConnection) {
        guard !isShut else { return connection.close() }
        let account = connection.account
        connection.account = nil
        state.release(connection, of: account, now: .now())
        serveWaiters()
    }

    /// Moves a connection that carries a tunnel from now on out of the pool, which may then open another.
    func becameTunnel(_ connection: UpstreamConnection) {
        state.becameTunnel(of: connection.account)
        connection.account = nil
        serveWaiters()
    }

    func tunnelClosed() {
        state.tunnelClosed()
    }

    /// True if a request waits because of the connections that its own key holds.
    func holdsBack(_ request: UpstreamRequest) -> Bool { state.isHeldBack(request, of: request.account) }

    /// The number of waiting requests, and the fewest connections that the key of one holds; nil if none waits.
    var pressure: (waiting: Int, least: Int)? { state.pressure }

    func held(by account: Account) -> Int { state.held(by: account) }

    /// Notes that a connection has responded.
    func works() {
        group.works(self)
    }

    /// Notes that a connection is about to close, so that no request gets it.
    func closing(_ connection: UpstreamConnection) {
        state.withdraw(connection)
    }

    /// Removes a connection that closed.
    func closed(_ connection: UpstreamConnection) {
        state.closed(connection, of: connection.account)
        serveWaiters()
    }

    /// Closes the connections that have been idle for too long.
    func closeIdle(now: NIODeadline) {
        for connection in state.expired(before: now - TimeAmount(timeouts.upstreamIdle)) { connection.close() }
    }

    /// Closes idle connections, and each other one when it becomes free.
    func shutDown() {
        isShut = true
        for connection in state.idleConnections { connection.close() }
    }

    private func connect(for request: UpstreamRequest) {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeouts.connect))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: tls == nil)
            .channelOption(.writeBufferWaterMark, value: .init(low: 32_768, high: 131_072))
        metrics.upstreamConnections.increment()
        let connecting =
            address.map { bootstrap.connect(to: $0) } ?? bootstrap.connect(host: upstream.host, port: upstream.port)
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, for: request)
            case .failure(let error): self.failed(error, for: request)
            }
        }
    }

    private func connected(_ channel: any Channel, for request: UpstreamRequest) {
        let connection = UpstreamConnection(pool: self)
        connection.account = request.account
        do {
            guard let tls else {
                try channel.pipeline.syncOperations.addHandler(connection)
                // The channel becomes active after this callback. Until then, errors and its end are not reported.
                return eventLoop.assumeIsolated().execute { self.ready(connection, for: request) }
            }
            let handshake = UpstreamHandshake(limit: TimeAmount(timeouts.connect)) { result in
                switch result {
                case .success: self.ready(connection, for: request)
                case .failure(let error): self.failed(error, for: request)
                }
            }
            try channel.pipeline.syncOperations.addHandlers([
                try NIOSSLClientHandler(context: tls, serverHostname: address == nil ? upstream.host : nil),
                handshake, connection,
            ])
        } catch {
            channel.close(promise: nil)
            failed(error, for: request)
        }
    }

    private func ready(_ connection: UpstreamConnection, for request: UpstreamRequest) {
        if connection.hasClosed { return failed(connection.failure ?? ChannelError.eof, for: request) }
        connection.isOpen = true
        group.works(self)
        if request.isWaiting {
            request.downstream.upstreamReady(connection, isReused: false)
        } else {
            release(connection)
        }
    }

    private func failed(_ error: any Error, for request: UpstreamRequest) {
        state.closed(nil, of: request.account)
        let timedOut = if case .connectTimeout? = error as? ChannelError { true } else { false }
        group.connectFailed(
            self, for: request, answer: timedOut ? .upstreamTimeout : .upstreamUnreachable, cause: .error(error))
        serveWaiters()
    }
}

extension HeadLimits {
    init(_ limits: GatewayConfiguration.Limits) {
        self.init(headBytes: limits.headBytes, targetBytes: limits.targetBytes, fieldCount: limits.fieldCount)
    }
}
