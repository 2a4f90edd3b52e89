import Foundation
import Glibc

/// A TCP connection that sends arbitrary bytes.
package final class RawConnection: Sendable {
    private let descriptor: Int32

    /// Connects to the host and port of a URL.
    /// - Parameters:
    ///   - source: a local address to connect from.
    ///   - timeout: the timeout of a read or a write, in seconds.
    package init(to url: String, from source: String? = nil, timeout: Int = 20) throws {
        guard let port = URL(string: url)?.port.flatMap({ UInt16(exactly: $0) }) else {
            throw TestSupportError("no port in \(url)")
        }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        if let source, !Self.call(bind, descriptor, source, 0) { throw TestSupportError("cannot bind to \(source)") }
        guard Self.call(connect, descriptor, "127.0.0.1", port) else {
            throw TestSupportError("cannot connect to \(url): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sends a text. Returns false if the peer has closed.
    @discardableResult
    package func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Sends bytes. Returns false if the peer has closed.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Reads until the peer closes, or until `enough` returns true. Returns nil on timeout.
    package func read(until enough: @escaping @Sendable (String) -> Bool = { _ in false }) async -> String? {
        // Not on a thread of the concurrency runtime, which a server in this process needs.
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.readBlocking(until: enough)) }
        }
    }

    /// Reads as above, on the caller's thread.
    package func readBlocking(until enough: (String) -> Bool = { _ in false }) -> String? {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while !enough(text) {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EAGAIN { return nil }
            if count <= 0 { return text }
            text += String(decoding: buffer.prefix(count), as: UTF8.self)
        }
        return text
    }

    /// Waits until the peer closes. Returns false on timeout.
    package func isClosedByPeer() async -> Bool { await read() != nil }

    /// True once the peer has closed.
    package var isClosed: Bool {
        // POLLRDHUP (poll(2), 0x2000 on Linux) reports that the peer has closed, even before all its data is read.
        var state = pollfd(fd: descriptor, events: 0x2000, revents: 0)
        return poll(&state, 1, 0) == 1
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ descriptor: Int32, _ host: String,
        _ port: UInt16
    ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
