import AuthKeys
import AuthKeysPostgres
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeyAdministration
import KeyAdministrationPostgres
import KeywardMiddleware
import LibPQ
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@Suite("Keyward service in an app")
struct KeywardTests {
    /// Runs `body` with an app that has `keyward` as its service. The app shuts down gracefully before this returns.
    func run(
        _ keyward: Keyward, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let router = Router(context: AddressedContext.self)
        router.group("documents").add(middleware: keyward.keys(scopes: "documents:read"))
            .get { _, context in context.principal?.owner ?? "-" }
        router.group("any").add(middleware: keyward.keys()).add(middleware: keyward.keys())
            .get { _, context in context.principal?.name ?? "-" }
        var application = Application(router: router, services: [keyward], logger: silent)
        application.beforeServerStarts { try await keyward.ready() }
        try await application.test(.router) { try await body($0) }
    }

    @Test("the service follows creations, changes and revocations by other instances", .timeLimit(.minutes(5)))
    func follows() async throws {
        try await KeyDatabase.with { database in
            let before = try await database.service.create(
                KeyRequest(name: "before", owner: "ada", scopes: ["documents:*"]))
            let keyward = try Keyward(database: database.connectionString, logger: silent)
            #expect(!keyward.isServing && keyward.age == nil)
            try await run(keyward) { client in
                #expect(keyward.isServing && keyward.count == 1)
                try await client.expect("200 ada", from: "/documents", .get, bearer(before.token.value))
                let after = try await database.service.create(KeyRequest(name: "after"))
                try await client.expect("200 after", from: "/any", .get, bearer(after.token.value))
                try await client.expect("403 scope_missing", from: "/documents", .get, bearer(after.token.value))
                try await client.expect("401 key_unknown", from: "/any", .get, bearer(Token.generate().value))

                let start = ContinuousClock.now
                try await database.service.deactivate(before.key.id.description)
                let closed = try await eventually {
                    try await client.answer("/documents", .get, bearer(before.token.value)) == "401 key_inactive"
                }
                #expect(closed && ContinuousClock.now - start < .seconds(5))
                var scoped = KeyPatch()
                scoped.scopes = .set(["documents:read"])
                _ = try await database.service.update(after.key.id.description, version: nil, scoped, by: .test)
                let opened = try await eventually {
                    try await client.answer("/documents", .get, bearer(after.token.value)) == "200 -"
                }
                #expect(opened)
            }
        }
    }

    @Test("graceful shutdown writes the use of keys, each request once", .timeLimit(.minutes(5)))
    func usage() async throws {
        try await KeyDatabase.with { database in
            let key = try await database.service.create(KeyRequest(name: "me"))
            let silentKey = try await database.service.create(KeyRequest(name: "silent"))
            try await run(
                try Keyward(database: database.connectionString, usageInterval: .seconds(3_600), logger: silent)
            ) {
                client in
                for _ in 0..<3 { try await client.expect("200 me", from: "/any", .get, bearer(key.token.value)) }
                try await client.expect("403 scope_missing", from: "/documents", .get, bearer(key.token.value))
                #expect(try await database.requests(of: key) == 0)
            }
            #expect(try await database.requests(of: key) == 3)
            let rows = try await Psql.run("SELECT count(*) FROM instances", on: database.connectionString)
            #expect(rows == "0")
            let used = try await database.store.usage(key.key.id, days: 1)
            #expect(used?.usage.lastAddress == "192.0.2.1")

            try await run(try Keyward(database: database.connectionString, usageInterval: nil, logger: silent)) {
                client in
                try await client.expect("200 silent", from: "/any", .get, bearer(silentKey.token.value))
            }
            #expect(try await database.requests(of: silentKey) == 0)
        }
    }

    @Test("the use of keys is written at each interval", .timeLimit(.minutes(5)))
    func interval() async throws {
        try await KeyDatabase.with { database in
            let key = try await database.service.create(KeyRequest(name: "me"))
            let keyward = try Keyward(
                database: database.connectionString, usageInterval: .milliseconds(50), logger: silent)
            try await run(keyward) { client in
                try await client.expect("200 me", from: "/any", .get, bearer(key.token.value))
                let written = try await eventually { try await database.requests(of: key) == 1 }
                #expect(written)
            }
        }
    }

    @Test("each request leaves a line and is counted, unless the app turns that off", arguments: [true, false])
    func requestLog(isOn: Bool) async throws {
        try await KeyDatabase.with { database in
            try await Psql.run("SELECT request_log_tend(1, 0, 0)", on: database.connectionString)
            let key = try await database.service.create(KeyRequest(name: "me", owner: "acme"))
            let keyward = try Keyward(
                database: database.connectionString, logsRequests: isOn, logsAddresses: false, instanceName: "app-1",
                logger: silent)
            try await run(keyward) { client in
                try await client.expect("200 me", from: "/any?q=1", .get, bearer(key.token.value))
                try await client.expect("401 key_missing", from: "/any")
            }
            let lines = try await Psql.run(
                "SELECT status, surface, code, owner, method, path, query, address, n.name FROM request_log JOIN "
                    + "request_log_names n ON n.id = instance ORDER BY at",
                "SELECT sum(requests) FROM request_minutes", "SELECT sum(allowed) FROM request_hours",
                on: database.connectionString)
            #expect(
                lines == (isOn ? "200|6||acme|GET|/any|||app-1\n401|6|key_missing||GET|/any|||app-1\n2\n1" : ""))
        }
    }

    @Test("a request before the keys are loaded gets 503, and waiters get the error of a failed start")
    func unloaded() async throws {
        let keyward = try Keyward(
            database: "postgres://app:hunter2@127.0.0.1:1/keyward", databaseWait: .zero, logger: silent)
        let router = Router(context: AppContext.self)
        router.group("any").add(middleware: keyward.keys()).get { _, _ in "in" }
        try await Application(responder: router.buildResponder(), logger: silent).test(.router) { client in
            try await client.expect("503 verification_unavailable", from: "/any", .get, bearer(Token.generate().value))
            try await client.expect("401 key_missing", from: "/any")
        }
        let waiting = Task { try await keyward.ready() }
        do {
            try await keyward.run()
            Issue.record("the service started")
        } catch let error as KeywardError {
            #expect(error.kind == .database && error.description.contains("port=1") && !"\(error)".contains("hunter2"))
        }
        await #expect(throws: KeywardError.self) { try await waiting.value }
        #expect(throws: KeywardError.self) {
            try Keyward(database: "hunter2", logger: silent)
        }
        let error = #expect(throws: KeywardError.self) {
            try Keyward(database: "host=localhost", instanceName: "a\nb", logger: silent)
        }
        #expect(error?.kind == .option && error?.description.contains("instanceName takes 1 to 64") == true)
    }

    @Test("keys stay valid during an outage of PostgreSQL until the maximum staleness", .timeLimit(.minutes(5)))
    func outage() async throws {
        let server = try await TestServer.start()
        try await KeyDatabase.with(server.connectionString) { database in
            let key = try await database.service.create(KeyRequest(name: "me"))
            let tolerant = try Keyward(database: database.connectionString, logger: silent)
            let strict = try Keyward(database: database.connectionString, maxStaleness: .zero, logger: silent)
            try await run(tolerant) { client in
                try await run(strict) { strictClient in
                    try await strictClient.expect("200 me", from: "/any", .get, bearer(key.token.value))
                    await server.stop()
                    let refused = try await eventually {
                        try await strictClient.answer("/any", .get, bearer(key.token.value))
                            == "503 verification_unavailable"
                    }
                    #expect(refused)
                    // A process that was starved for a second refuses until its next read has failed.
                    let accepted = try await eventually {
                        try await client.answer("/any", .get, bearer(key.token.value)) == "200 me"
                    }
                    #expect(accepted)
                    try await client.expect(
                        "503 verification_unavailable", from: "/any", .get, bearer(Token.generate().value))
                    try await server.start()
                    let back = try await eventually {
                        try await strictClient.answer("/any", .get, bearer(key.token.value)) == "200 me"
                    }
                    #expect(back)
                }
            }
        }
        await server.destroy()
    }

    @Test("shutdown while the service waits for the database is not an error", .timeLimit(.minutes(5)))
    func earlyShutdown() async throws {
        let keyward = try Keyward(
            database: "postgres://app@127.0.0.1:1/keyward", databaseWait: .seconds(600), logger: silent)
        let group = ServiceGroup(configuration: .init(services: [keyward, Waiting(keyward: keyward)], logger: silent))
        async let running: Void = group.run()
        try await Task.sleep(for: .milliseconds(300))
        await group.triggerGracefulShutdown()
        try await running
    }
}

/// A service that waits until the keys are loaded, as a server does before it listens.
private struct Waiting: Service {
    let keyward: Keyward

    func run() async throws {
        try await keyward.ready()
        try await gracefulShutdown()
    }
}
