import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// An upstream controlled by a script: it reads whole requests and sends the bytes that the script returns.
final class RawUpstream: Sendable {
    /// The reaction to a request.
    enum Reply: Sendable {
        case send(String)
        case sendBytes([UInt8])
        case sendThenClose(String)
        case sendThenReset(String)
        /// A head, then `count` bytes, as fast as the peer reads them.
        case stream(head: String, count: Int)
        case nothing
    }

    /// A received request.
    struct Request: Sendable {
        /// Counted from 0.
        let connection: Int
        /// The index of the request on its connection, from 0.
        let index: Int
        let bytes: [UInt8]

        var text: String { String(decoding: bytes, as: UTF8.self) }
        var head: String { text.components(separator: "\r\n\r\n")[0] }
        var body: String { text.components(separator: "\r\n\r\n").dropFirst().joined(separator: "\r\n\r\n") }

        /// All values of a header, in order.
        subscript(_ name: String) -> [String] {
            head.components(separator: "\r\n").dropFirst().compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return parts[0].lowercased() == name.lowercased() ? String(parts[1]).trimmingSpaces() : nil
            }
        }
    }

    private struct State {
        var requests: [Request] = []
        var connections: [RawConnection] = []
        var served: [Int] = []
    }

    private let channel: any Channel
    private let state: Box
    /// Keeps the port of a closed upstream, so that no upstream of another test gets it.
    private let reserved = Mutex<Int32?>(nil)

    private final class Box: Sendable {
        let state = Mutex(State())
    }

    let port: Int

    /// All requests that were received whole.
    var requests: [Request] { state.state.withLock { $0.requests } }
    var connections: [RawConnection] { state.state.withLock { $0.connections } }

    /// - Parameters:
    ///   - reading: false if connections read only after a test has turned reading on.
    ///   - anyBytes: true to run the script for each read, even if the request is incomplete.
    init(
        reading: Bool = true, receiveBuffer: Int32? = nil, anyBytes: Bool = false, halfCloses: Bool = false,
        tls: NIOSSLContext? = nil,
        _ script: @escaping @Sendable (Request) -> Reply = { _ in
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
    ) async throws {
        let box = Box()
        state = box
        var bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: reading)
            .childChannelOption(.allowRemoteHalfClosure, value: halfCloses)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let inbox = Inboxes()
                    let connection = RawConnection(channel: channel, inbox: inbox)
                    let number = box.state.withLock { state in
                        state.connections.append(connection)
                        state.served.append(0)
                        return state.connections.count - 1
                    }
                    let handler = InboxHandler(inbox) {
                        while let bytes = Self.take(from: inbox, anyBytes: anyBytes) {
                            let request = box.state.withLock { state in
                                let request = Request(connection: number, index: state.served[number], bytes: bytes)
                                state.served[number] += 1
                                state.requests.append(request)
                                return request
                            }
                            Self.perform(script(request), on: connection)
                        }
                    }
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.serverChannelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    /// Closes the listener and all connections. Connections to the port are then refused.
    func close() async {
        try? await channel.close().get()
        reserved.withLock { $0 = $0 ?? Self.reserve(port) }
        for connection in connections { await connection.close() }
    }

    deinit {
        if let descriptor = reserved.withLock({ $0 }) { _ = Glibc.close(descriptor) }
    }

    /// Binds a socket that does not listen. Returns nil if the port is taken already.
    private static func reserve(_ port: Int) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let isBound = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isBound { return descriptor }
        _ = Glibc.close(descriptor)
        return nil
    }

    private static func perform(_ reply: Reply, on connection: RawConnection) {
        let channel = connection.channel
        switch reply {
        case .nothing: break
        case .send(let text): channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        case .sendBytes(let bytes): channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        case .sendThenClose(let text):
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in channel.close(promise: nil) }
        case .sendThenReset(let text):
            channel.writeAndFlush(ByteBuffer(string: text)).whenComplete { _ in connection.reset() }
        case .stream(let head, let count):
            Task {
                try await connection.send(head)
                await connection.stream(count)
            }
        }
    }

    /// Removes a whole request from the received bytes.
    private static func take(from inbox: Inboxes, anyBytes: Bool) -> [UInt8]? {
        inbox.state.withLock { state in
            guard !state.bytes.isEmpty else { return nil }
            if anyBytes {
                defer { state.bytes = [] }
                return state.bytes
            }
            guard let headEnd = state.bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else { return nil }
            let head = String(decoding: state.bytes[..<headEnd], as: UTF8.self).lowercased()
            var length = headEnd
            if head.contains("transfer-encoding: chunked") {
                guard let end = state.bytes[headEnd...].firstRange(of: Array("0\r\n\r\n".utf8)) else { return nil }
                length = end.upperBound
            } else if let line = head.components(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }) {
                length += Int(line.dropFirst(15).filter(\.isNumber)) ?? 0
            }
            guard state.bytes.count >= length else { return nil }
            defer { state.bytes.removeFirst(length) }
            return Array(state.bytes.prefix(length))
        }
    }
}
