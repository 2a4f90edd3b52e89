import TestSupport
import Testing

@Suite("Shutting down", .timeLimit(.minutes(2)))
struct ShutdownTests {
    @Test("half a request on the control listener holds it up no longer than the drain timeout")
    func halfRequest() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--drain-timeout", "2s"])
        var connections: [RawConnection] = []
        for path in ["/v1/verify", "/admin/api/v1/auth-keys", "/v1/introspect", "/admin/api/v1/auth-keys/import"] {
            let head = "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n"
            for key in ["", "Authorization: Bearer \(KeywardProcess.adminKey)\r\n"] {
                let connection = try RawConnection(to: instance.control)
                #expect(connection.send(head + key + "\r\n{"))
                connections.append(connection)
            }
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
        for connection in connections { #expect(connection.isClosed) }
    }
}
