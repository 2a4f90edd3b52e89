import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Shutting down", .timeLimit(.minutes(2)))
struct ShutdownTests {
    /// A connection on which so much has been sent.
    private func open(_ control: String, _ text: String) throws -> Int32 {
        let port = try #require(URL(string: control)?.port.flatMap { UInt16(exactly: $0) })
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isOpen = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) == 0 }
        }
        #expect(isOpen && write(descriptor, text, text.utf8.count) == text.utf8.count)
        return descriptor
    }

    @Test("half a request on the control listener holds it up no longer than the drain timeout")
    func halfRequest() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--drain-timeout", "2s"])
        var descriptors: [Int32] = []
        for path in ["/v1/verify", "/admin/api/v1/auth-keys", "/v1/introspect", "/admin/api/v1/auth-keys/import"] {
            let head = "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n"
            descriptors.append(try open(instance.control, head + "\r\n{"))
            let key = "Authorization: Bearer \(KeywardProcess.adminKey)\r\n"
            descriptors.append(try open(instance.control, head + key + "\r\n{"))
        }
        // All of them are under way when an answer has come that was asked for later.
        _ = try await instance.ready()
        let start = ContinuousClock.now
        let watchdog = Task {
            try await Task.sleep(for: .seconds(20))
            await instance.crash()
        }
        let status = try await instance.stop()
        watchdog.cancel()
        let took = ContinuousClock.now - start
        #expect(status == 0 && took < .seconds(6), "\(status) \(took)")
        for descriptor in descriptors { close(descriptor) }
    }
}
