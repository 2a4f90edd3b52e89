import Glibc
import Testing

@testable import LibPQ

@Suite("PostgresListener") struct ListenerTests {
    /// Runs `body` with a running listener of `channel` and the stream of its events.
    private func withListener(
        _ channel: String, pingInterval: Duration = .seconds(2),
        _ body: (inout AsyncStream<PostgresListener.Event>.Iterator, String) async throws -> Void
    ) async throws {
        let (server, name) = (try await testServer(), uniqueName("listener"))
        let listener = PostgresListener(
            target: try PostgresTarget(server + " application_name=\(name)"), channels: [channel],
            pingInterval: pingInterval, logger: quiet)
        let running = Task { await listener.run() }
        defer { running.cancel() }
        var events = listener.events.makeAsyncIterator()
        try await body(&events, name)
        running.cancel()
        await running.value
    }

    private func backend(_ name: String, on connection: PostgresConnection) async throws -> Int32? {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1"
        return try await connection.query(sql, [.text(name)]).rows.first?.int32(0)
    }

    /// Returns the next event that is not a confirmed ping.
    private func next(_ events: inout AsyncStream<PostgresListener.Event>.Iterator) async -> PostgresListener.Event? {
        while let event = await events.next() {
            if event != .listening(gap: false) { return event }
        }
        return nil
    }

    @Test("notifications arrive in order after the first gap", .timeLimit(.minutes(5)))
    func order() async throws {
        let channel = uniqueName("Odd \"channel\"")
        try await withConnection { connection in
            try await withListener(channel) { events, _ in
                #expect(await next(&events) == .listening(gap: true))
                for index in 0..<50 {
                    _ = try await connection.query("SELECT pg_notify($1, $2)", [.text(channel), .text("n\(index)")])
                }
                for index in 0..<50 {
                    #expect(await next(&events) == .notification(channel: channel, payload: "n\(index)"))
                }
            }
        }
    }

    @Test("an idle listener confirms repeatedly that it receives", .timeLimit(.minutes(5)))
    func pings() async throws {
        try await withListener(uniqueName("quiet"), pingInterval: .milliseconds(300)) { events, _ in
            #expect(await next(&events) == .listening(gap: true))
            var confirmed = 0
            while confirmed < 3, let event = await events.next() {
                if event == .listening(gap: false) { confirmed += 1 }
            }
            #expect(confirmed == 3)
        }
    }

    @Test("a broken connection is reported and replaced, with a gap", .timeLimit(.minutes(5)))
    func brokenConnection() async throws {
        let channel = uniqueName("broken")
        try await withConnection { connection in
            try await withListener(channel, pingInterval: .seconds(30)) { events, name in
                #expect(await next(&events) == .listening(gap: true))
                let pid = try #require(try await backend(name, on: connection))
                _ = try await connection.query("SELECT pg_terminate_backend($1)", [.int32(pid)])
                let start = ContinuousClock.now
                #expect(await next(&events) == .lost)
                #expect(.now - start < .seconds(20), "the socket must report the loss before the next ping")
                #expect(await next(&events) == .listening(gap: true))
                _ = try await connection.query("SELECT pg_notify($1, 'again')", [.text(channel)])
                #expect(await next(&events) == .notification(channel: channel, payload: "again"))
            }
        }
    }

    @Test("a hanging backend is detected and replaced", .timeLimit(.minutes(5)))
    func hangingBackend() async throws {
        try await withConnection { connection in
            try await withListener(uniqueName("hung"), pingInterval: .seconds(1)) { events, name in
                #expect(await next(&events) == .listening(gap: true))
                let pid = try #require(try await backend(name, on: connection))
                kill(pid, SIGSTOP)
                defer { kill(pid, SIGCONT) }
                #expect(await next(&events) == .lost)
                #expect(await next(&events) == .listening(gap: true))
            }
        }
    }

    @Test("dropped notifications show as a gap", .timeLimit(.minutes(5)))
    func overflow() async throws {
        let channel = uniqueName("flood")
        try await withConnection { connection in
            try await withListener(channel, pingInterval: .milliseconds(500)) { events, _ in
                #expect(await next(&events) == .listening(gap: true))
                let sql = "SELECT pg_notify($1, i::text) FROM generate_series(1, 5000) i"
                _ = try await connection.query(sql, [.text(channel)])
                try await Task.sleep(for: .milliseconds(200))
                var received = 0
                while let event = await events.next(), event != .listening(gap: true) { received += 1 }
                #expect(received < 5000)
                #expect(received >= 1)
            }
        }
    }

    @Test("a ping that does not return ends the connection") func lostPing() {
        var state = ListenerState()
        #expect(state.receive(.intervalPassed) == .ping(1))
        #expect(state.receive(.intervalPassed) == .nothing)
        #expect(state.receive(.echo(1)) == .confirm)
        #expect(state.receive(.boundPassed(1)) == .nothing, "the echo arrived in time")
        #expect(state.receive(.intervalPassed) == .ping(2))
        #expect(state.receive(.echo(1)) == .nothing, "an old echo proves nothing")
        #expect(state.receive(.boundPassed(1)) == .nothing)
        #expect(state.receive(.boundPassed(2)) == .giveUp)
        #expect(state.receive(.failed) == .giveUp)
    }
}
