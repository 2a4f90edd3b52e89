import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// One end of a TCP connection: writes raw bytes, stores received ones, and records how the connection ended.
final class RawConnection: Sendable {
    struct Inbox {
        var bytes: [UInt8] = []
        var received = 0
        var isClosed = false
        var wasReset = false
        /// The other side ended its output.
        var hasEnded = false
    }

    let channel: any Channel
    private let inbox: Inboxes
    private let written = Atomic<Int>(0)

    init(channel: any Channel, inbox: Inboxes) {
        self.channel = channel
        self.inbox = inbox
    }

    var text: String { inbox.state.withLock { String(decoding: $0.bytes, as: UTF8.self) } }
    var bytes: [UInt8] { inbox.state.withLock { $0.bytes } }
    /// The number of received bytes, stored or not.
    var received: Int { inbox.state.withLock { $0.received } }
    /// True if the other side ended its output or closed.
    var hasEnded: Bool { inbox.state.withLock { $0.hasEnded || $0.isClosed } }
    var isClosed: Bool { inbox.state.withLock { $0.isClosed } }
    var wasReset: Bool { inbox.state.withLock { $0.wasReset } }
    /// Bytes of `stream` that the kernel accepted.
    var streamed: Int { written.load(ordering: .relaxed) }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Writes `count` bytes, in chunks as the kernel accepts them. Returns early if the connection ends.
    func stream(_ count: Int) async {
        let piece = ByteBuffer(repeating: 0x61, count: 65_536)
        var left = count
        while left > 0 {
            let size = min(left, piece.readableBytes)
            guard let slice = piece.getSlice(at: 0, length: size),
                (try? await channel.writeAndFlush(slice).get()) != nil
            else { return }
            left -= size
            written.wrappingAdd(size, ordering: .relaxed)
        }
    }

    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
    }

    func close() async {
        try? await channel.close().get()
    }

    /// Ends the output; input is still read.
    func endOutput() async throws {
        try await channel.close(mode: .output).get()
    }

    func reset() {
        let options = channel as? any SocketOptionProvider
        _ = options?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        channel.close(promise: nil)
    }

    /// Removes the next whole response from the received bytes.
    /// - Parameter toHead: true for a response without a body, regardless of its fields.
    func response(toHead: Bool = false, within limit: Duration = .seconds(20)) async throws -> RawResponse {
        var result: RawResponse?
        try await eventually("a response", within: limit) {
            try inbox.state.withLock { state in
                guard
                    let (response, length) = try RawResponse.parse(
                        state.bytes, isClosed: state.isClosed, toHead: toHead)
                else {
                    if state.isClosed {
                        throw TestSupportError("closed before a response: \(state.bytes.count) bytes")
                    }
                    return false
                }
                state.bytes.removeFirst(length)
                result = response
                return true
            }
        }
        guard let result else { throw TestSupportError("no response") }
        return result
    }

    func waitForClose(within limit: Duration = .seconds(20)) async throws {
        try await eventually("the connection to close", within: limit) { isClosed }
    }
}

/// The data that a connection received.
final class Inboxes: Sendable {
    let state = Mutex(RawConnection.Inbox())
}

/// A handler that stores received bytes in an inbox.
final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Inboxes
    private static let keepLimit = 1 << 20
    private let onBytes: (() -> Void)?

    init(_ inbox: Inboxes, onBytes: (() -> Void)? = nil) {
        self.inbox = inbox
        self.onBytes = onBytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        inbox.state.withLock { state in
            state.received += buffer.readableBytes
            if state.bytes.count + buffer.readableBytes <= Self.keepLimit { state.bytes += buffer.readableBytesView }
        }
        onBytes?()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { inbox.state.withLock { $0.hasEnded = true } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        inbox.state.withLock { $0.wasReset = true }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.state.withLock { $0.isClosed = true }
    }
}

/// Connects to a local port.
/// - Parameter halfCloses: true if the connection stays open after the other side's end of output.
func connect(
    port: Int, reading: Bool = true, receiveBuffer: Int32? = nil, halfCloses: Bool = false
) async throws -> RawConnection {
    let inbox = Inboxes()
    var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelOption(.autoRead, value: reading)
        .channelOption(.allowRemoteHalfClosure, value: halfCloses)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
            }
        }
    if let receiveBuffer {
        bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
    }
    let channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
    return RawConnection(channel: channel, inbox: inbox)
}
