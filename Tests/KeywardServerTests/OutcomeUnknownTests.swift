import Dispatch
import Glibc
import NIOHTTP1
import TestSupport
import Testing

@Suite("A change whose answer is lost on the way", .timeLimit(.minutes(3)))
struct OutcomeUnknownTests {
    @Test("has an unknown outcome for the API and the commands, and is in the trail under its request id")
    func database() async throws {
        let database = try await TestDatabase.create()
        let proxy = try await LossyProxy.start(to: database.connectionString)
        let instance = try await KeywardProcess.start(database: proxy.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        proxy.set(.disconnect, after: "lost on the way")
        let answer = try await instance.admin(.POST, body: #"{"name":"lost on the way"}"#)
        #expect(answer.status == 503 && answer.code == "outcome_unknown")
        #expect(answer.headers.first(name: "Retry-After") == nil)

        let command = try await KeywardProcess.run(
            ["keys", "create", "--name", "lost on the way"], environment: environment)
        let advice = try #require(command.error.firstMatch(of: /keyward audit list --request-id ([0-9a-f]{32})/))
        #expect(command.status == 1 && command.error.contains("may have been carried out"))
        let events = try await KeywardProcess.run(
            ["audit", "list", "--request-id", String(advice.1), "--json"], environment: environment)
        #expect(events.status == 0 && events.output.matches(of: /"key\.create"/).count == 1)

        proxy.set(nil)
        let keys = try await instance.admin(.GET, "?q=lost").text
        #expect(keys.matches(of: /"lost on the way"/).count == 2)
        #expect(instance.logText.contains("outcome of a change unknown"))
        _ = try await instance.stop()
        await proxy.stop()
        try await database.drop()
    }

    @Test("is said to be possible by the commands where the control listener closes the connection")
    func listener() async throws {
        let server = try ClosingServer()
        let environment = [
            "KEYWARD_CONTROL_URL": "http://127.0.0.1:\(server.port)", "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
        ]
        let change = try await KeywardProcess.run(["keys", "create", "--name", "n"], environment: environment)
        #expect(change.status == 1 && change.error.contains("closed the connection. The change may have been"))
        let read = try await KeywardProcess.run(["keys", "list"], environment: environment)
        #expect(read.status == 1 && !read.error.contains("may have been"))
        server.close()
    }
}

/// Accepts connections on 127.0.0.1, reads the beginning of a request, and closes them.
private final class ClosingServer: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
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
        DispatchQueue.global().async {
            while true {
                let connection = accept(descriptor, nil, nil)
                if connection < 0 { return }
                var buffer = [UInt8](repeating: 0, count: 16_384)
                _ = recv(connection, &buffer, buffer.count, 0)
                Glibc.close(connection)
            }
        }
    }

    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        Glibc.close(descriptor)
    }
}
