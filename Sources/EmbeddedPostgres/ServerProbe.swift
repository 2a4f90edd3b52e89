import Glibc

/// A probe that tests if a server responds, without logging in.
enum ServerProbe {
    /// The protocol's SSLRequest (PostgreSQL, "Message Formats"): length 8, code 80877103. Every server answers it with
    /// one byte, from a process that the postmaster has to fork for it.
    private static let request: [UInt8] = [0, 0, 0, 8, 4, 210, 22, 47]

    /// Returns true if the server on this socket answers within `limit`.
    static func answers(socket path: String, limit: Duration) async -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            guard path.utf8.count < buffer.count else { return false }
            buffer.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { return false }
        let descriptor = Glibc.socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0, send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
        else { return false }
        return await Poll.until(limit) { () -> Bool? in
            var answer: UInt8 = 0
            let count = recv(descriptor, &answer, 1, 0)
            return count < 0 && (errno == EAGAIN || errno == EINTR) ? nil : count == 1
        } ?? false
    }
}
