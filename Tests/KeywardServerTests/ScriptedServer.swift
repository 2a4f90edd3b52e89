import Dispatch
import Glibc
import Synchronization
import TestSupport

/// A server on 127.0.0.1 that sends a given text as the response to each request, or closes the connection.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let heads = Mutex<[String]>([])

    /// The first bytes of each request so far.
    var requests: [String] { heads.withLock { $0 } }

    /// - Parameter response: a closure that returns the response to a request, given its first bytes; nil closes the
    ///   connection.
    init(_ response: @escaping @Sendable (String) -> String?) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isListening else { throw TestSupportError("no socket") }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        DispatchQueue.global().async { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                var buffer = [UInt8](repeating: 0, count: 16_384)
                let count = recv(connection, &buffer, buffer.count, 0)
                let head = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
                heads.withLock { $0.append(head) }
                if let text = response(head) {
                    _ = send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
                }
                Glibc.close(connection)
            }
        }
    }

    /// Returns a response whose body ends with the connection.
    static func response(_ status: String, _ body: String, fields: String = "") -> String {
        "HTTP/1.1 \(status)\r\n\(fields)Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }

    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }
}
