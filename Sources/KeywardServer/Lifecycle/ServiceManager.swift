import Glibc
import Logging
import ServiceLifecycle

/// The service manager that started this process, such as systemd for a unit with `Type=notify`.
///
/// It receives the states of the process as datagrams on the socket that `NOTIFY_SOCKET` names (sd_notify(3)).
struct ServiceManager: Sendable {
    enum State: String {
        /// Both listeners are bound, and the keys are loaded.
        case ready = "READY=1"
        /// A graceful shutdown began.
        case stopping = "STOPPING=1"
    }

    /// The path of the socket, or `@` and its abstract name.
    private let socketName: String
    private let logger: Logger

    /// Returns nil for a process that no service manager waits for.
    init?(socketName: String?, logger: Logger) {
        guard let socketName, !socketName.isEmpty else { return nil }
        self.socketName = socketName
        self.logger = logger
    }

    /// Sends a state, and logs a failure: a manager that misses `ready` ends the process at its start timeout.
    func report(_ state: State) {
        let error = send(Array(state.rawValue.utf8))
        guard error != 0 else { return }
        logger.warning(
            "the service manager cannot be notified",
            metadata: ["state": "\(state.rawValue)", "error": "\(String(cString: strerror(error)))"])
    }

    /// Returns 0, or the error number. Waits while the queue of the socket is full, as sd_notify(3) does.
    private func send(_ datagram: [UInt8]) -> Int32 {
        var name = Array(socketName.utf8)
        var address = sockaddr_un()
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard name.first == UInt8(ascii: "/") || name.first == UInt8(ascii: "@"), name.count < capacity else {
            return EINVAL
        }
        // An abstract name begins with a NUL and has no other end than the length (unix(7)).
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - capacity + name.count)

        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let sent = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, datagram, datagram.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
        return sent == datagram.count ? 0 : errno
    }
}

/// Reports the beginning of a graceful shutdown to the service manager.
struct StopReport: Service {
    let manager: ServiceManager

    func run() async throws {
        try await gracefulShutdown()
        manager.report(.stopping)
    }
}
