import Glibc
import TestSupport
import Testing

@Suite("Service manager", .timeLimit(.minutes(2)))
struct ServiceManagerTests {
    @Test("an instance reports that it is ready, and that it stops", arguments: [false, true])
    func states(_ isAbstract: Bool) async throws {
        let database = try await TestDatabase.create()
        let folder = try TestFolder.make("notify")
        try #require(mkdir(folder, 0o700) == 0)
        let manager = try NotificationSocket(isAbstract ? "@\(folder)/notify" : "\(folder)/notify")
        let instance = try await KeywardProcess.start(
            database: database.connectionString, environment: ["NOTIFY_SOCKET": manager.name])
        #expect(manager.receive() == "READY=1")
        #expect(try await instance.ready().status == 200)
        #expect(try await instance.stop() == 0)
        #expect(manager.receive() == "STOPPING=1")
        #expect(!instance.logText.contains("service manager"))
        try await database.drop()
    }

    @Test("an instance serves when its service manager cannot be notified, and logs the reason")
    func unreachable() async throws {
        let database = try await TestDatabase.create()
        for (name, reason) in [("/nonexistent/notify", "No such file"), ("vsock:2:1", "Invalid argument")] {
            let instance = try await KeywardProcess.start(
                database: database.connectionString, environment: ["NOTIFY_SOCKET": name])
            #expect(try await instance.ready().status == 200)
            #expect(try await instance.stop() == 0)
            let warnings = instance.logText.split(separator: "\n").filter {
                $0.contains("the service manager cannot be notified")
            }
            #expect(warnings.count == 2, "\(instance.logText)")
            #expect(warnings.allSatisfy { $0.contains(reason) }, "\(warnings)")
        }
        try await database.drop()
    }
}

/// The socket of a service manager.
private final class NotificationSocket: Sendable {
    let name: String
    private let descriptor: Int32

    /// - Parameter name: a path, or `@` and an abstract name.
    init(_ name: String) throws {
        self.name = name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = name.utf8.map { $0 == UInt8(ascii: "@") ? 0 : $0 }
        let unused = MemoryLayout.size(ofValue: address.sun_path) - bytes.count
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size - unused))
            }
        }
        guard bound == 0 else { throw TestSupportError("cannot bind to \(name): \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Waits for the next datagram; nil when none arrives within 20 s.
    func receive() -> String? {
        var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&event, 1, 20_000) == 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
