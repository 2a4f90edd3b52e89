import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy in front of a PostgreSQL server that can lose the response to a commit.
///
/// It parses the protocol as far as necessary (PostgreSQL manual, chapter "Message Formats"). The response to a commit
/// ends with a ReadyForQuery that reports an idle connection.
public final class LossyProxy: Sendable {
    /// The fault on a connection that sends the marker.
    public enum Fault: Sendable, CaseIterable {
        /// The response to the commit is dropped, and the connection is closed.
        case disconnect
        /// The response to the commit is dropped, and the connection stays open without traffic.
        case silence
        /// The connection is closed, and the bytes with the marker do not reach the server.
        case cut
    }

    struct State {
        var fault: Fault?
        var marker: [UInt8] = []
        var faults = 0
    }

    /// The connection string of the same database through the proxy.
    public let connectionString: String
    /// The port on 127.0.0.1.
    public let port: Int
    private let channel: any Channel
    private let state: SharedState

    final class SharedState: Sendable {
        let value = Mutex(State())
    }

    /// Starts a proxy to the Unix socket in a libpq keyword string.
    public static func start(to connectionString: String) async throws -> LossyProxy {
        var parameters: [(String, String)] = connectionString.split(separator: " ").map { part in
            let sides = part.split(separator: "=", maxSplits: 1)
            return (String(sides[0]), String((sides.last ?? "").filter { $0 != "'" }))
        }
        let given = Dictionary(uniqueKeysWithValues: parameters)
        let path = "\(given["host"] ?? "")/.s.PGSQL.\(given["port"] ?? "5432")"
        let state = SharedState()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelOption(.allowRemoteHalfClosure, value: false)
            .childChannelInitializer { front in
                ClientBootstrap(group: front.eventLoop).connect(unixDomainSocketPath: path).flatMapThrowing { back in
                    let link = Link(state: state)
                    try front.pipeline.syncOperations.addHandler(FrontRelay(back, link))
                    try back.pipeline.syncOperations.addHandler(BackRelay(front, link))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        parameters.removeAll { ["host", "port"].contains($0.0) }
        parameters += [("host", "127.0.0.1"), ("port", "\(port)"), ("sslmode", "disable"), ("gssencmode", "disable")]
        return LossyProxy(
            connectionString: parameters.map { "\($0.0)=\($0.1)" }.joined(separator: " "), port: port, channel: channel,
            state: state)
    }

    private init(connectionString: String, port: Int, channel: any Channel, state: SharedState) {
        self.connectionString = connectionString
        self.port = port
        self.channel = channel
        self.state = state
    }

    /// Applies the fault to each connection that sends `marker` from now on; nil for no fault.
    public func set(_ fault: Fault?, after marker: String = "") {
        state.value.withLock { state in
            state.fault = fault
            state.marker = Array(marker.utf8)
        }
    }

    /// The number of times that the fault occurred.
    public var faults: Int { state.value.withLock { $0.faults } }

    /// Stops accepting connections. Open ones continue.
    public func stop() async { try? await channel.close() }
}

/// The state that both directions of a connection share; only its event loop uses it.
private final class Link {
    let state: LossyProxy.SharedState
    /// True once the marker was sent: the next response to a commit has the fault.
    var isArmed = false
    /// True if all data from the server is dropped.
    var isSilent = false

    init(state: LossyProxy.SharedState) { self.state = state }

    func count() { state.value.withLock { $0.faults += 1 } }
}

/// Relays from the client to the server.
private final class FrontRelay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let back: any Channel
    private let link: Link
    /// The last bytes of earlier reads, in which a marker may begin.
    private var tail: [UInt8] = []

    init(_ back: any Channel, _ link: Link) {
        self.back = back
        self.link = link
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let (fault, marker) = link.state.value.withLock { ($0.fault, $0.marker) }
        if let fault, !marker.isEmpty {
            let text = tail + bytes.readableBytesView
            if text.firstRange(of: marker) != nil {
                tail = []
                if fault == .cut {
                    link.count()
                    context.close(promise: nil)
                    return
                }
                link.isArmed = true
            } else {
                tail = Array(text.suffix(marker.count - 1))
            }
        }
        back.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { back.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Relays from the server to the client.
private final class BackRelay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let front: any Channel
    private let link: Link
    private var pending = ByteBuffer()

    init(_ front: any Channel, _ link: Link) {
        self.front = front
        self.link = link
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if link.isSilent { return }
        guard link.isArmed else { return front.writeAndFlush(bytes, promise: nil) }
        pending.writeBuffer(&bytes)
        while let answer = nextResponse() {
            guard answer.isIdle else {
                front.writeAndFlush(answer.bytes, promise: nil)
                continue
            }
            link.count()
            link.isSilent = true
            if link.state.value.withLock({ $0.fault }) != .silence { front.close(promise: nil) }
            return
        }
    }

    /// Returns the messages up to a ReadyForQuery, and whether it reports an idle connection; nil until it has arrived.
    private func nextResponse() -> (bytes: ByteBuffer, isIdle: Bool)? {
        var offset = pending.readerIndex
        while let type = pending.getInteger(at: offset, as: UInt8.self),
            let length = pending.getInteger(at: offset + 1, as: UInt32.self),
            offset + 1 + Int(length) <= pending.writerIndex
        {
            let end = offset + 1 + Int(length)
            if type == UInt8(ascii: "Z") {
                let status = pending.getInteger(at: offset + 5, as: UInt8.self)
                return pending.readSlice(length: end - pending.readerIndex).map { ($0, status == UInt8(ascii: "I")) }
            }
            offset = end
        }
        return nil
    }

    func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
