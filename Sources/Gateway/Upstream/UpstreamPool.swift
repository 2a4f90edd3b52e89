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
    private var state: PoolState<UpstreamConnection, FrontConnection, Account>
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

    /// Acquires a connection for a client's request. Calls `upstreamReady` or `UpstreamGroup.connectFailed`, now or
    /// later.
    func acquire(for front: FrontConnection, fresh: Bool) {
        let account = front.record.account
        if let grant = state.acquire(front, of: account, fresh: fresh) { carryOut(grant, for: front, of: account) }
    }

    private func carryOut(
        _ grant: PoolState<UpstreamConnection, FrontConnection, Account>.Grant, for front: FrontConnection,
        of account: Account
    ) {
        switch grant {
        case .reuse(let connection):
            connection.account = account
            front.upstreamReady(connection, isReused: true)
        case .connect: connect(for: front, of: account)
        }
    }

    private func serveWaiters() {
        while let (front, account, grant) = state.next() { carryOut(grant, for: front, of: account) }
    }

    /// Cancels a client's request that no longer waits for a connection.
    func cancel(_ front: FrontConnection) {
        state.cancel(front, of: front.record.account)
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
    func holdsBack(_ front: FrontConnection) -> Bool { state.isHeldBack(front, of: front.record.account) }

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

    private func connect(for front: FrontConnection, of account: Account) {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeouts.connect))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: tls == nil)
            .channelOption(.writeBufferWaterMark, value: .init(low: 32_768, high: 131_072))
        let number = front.number
        metrics.upstreamConnections.increment()
        let connecting =
            address.map { bootstrap.connect(to: $0) } ?? bootstrap.connect(host: upstream.host, port: upstream.port)
        connecting.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, for: front, number: number, of: account)
            case .failure(let error): self.failed(error, for: front, number: number, of: account)
            }
        }
    }

    private func connected(
        _ channel: any Channel, for front: FrontConnection, number: UInt64, of account: Account
    ) {
        let connection = UpstreamConnection(pool: self)
        connection.account = account
        do {
            guard let tls else {
                try channel.pipeline.syncOperations.addHandler(connection)
                return ready(connection, for: front, number: number)
            }
            let handshake = UpstreamHandshake(limit: TimeAmount(timeouts.connect)) { result in
                switch result {
                case .success: self.ready(connection, for: front, number: number)
                case .failure(let error): self.failed(error, for: front, number: number, of: account)
                }
            }
            try channel.pipeline.syncOperations.addHandlers([
                try NIOSSLClientHandler(context: tls, serverHostname: address == nil ? upstream.host : nil),
                handshake, connection,
            ])
        } catch {
            channel.close(promise: nil)
            failed(error, for: front, number: number, of: account)
        }
    }

    private func ready(_ connection: UpstreamConnection, for front: FrontConnection, number: UInt64) {
        connection.isOpen = true
        group.works(self)
        if front.isWaiting(number) {
            front.upstreamReady(connection, isReused: false)
        } else {
            release(connection)
        }
    }

    private func failed(
        _ error: any Error, for front: FrontConnection, number: UInt64, of account: Account
    ) {
        state.closed(nil, of: account)
        let timedOut = if case .connectTimeout? = error as? ChannelError { true } else { false }
        group.connectFailed(
            self, for: front.isWaiting(number) ? front : nil,
            answer: timedOut ? .upstreamTimeout : .upstreamUnreachable, cause: .error(error))
        serveWaiters()
    }
}

extension HeadLimits {
    init(_ limits: GatewayConfiguration.Limits) {
        self.init(headBytes: limits.headBytes, targetBytes: limits.targetBytes, fieldCount: limits.fieldCount)
    }
}
