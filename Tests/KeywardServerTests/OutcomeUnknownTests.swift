import NIOHTTP1
import TestSupport
import Testing

@Suite("Unknown outcome of a change", .timeLimit(.minutes(6)))
struct OutcomeUnknownTests {
    @Test("a lost commit response is reported as an unknown outcome, and the trail has its request id")
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

    @Test("commands report a possible change if the control listener closes the connection")
    func listener() async throws {
        let server = try ScriptedServer { request in
            request.hasPrefix("GET /healthz ")
                ? ScriptedServer.response("200 OK", #"{"service":"keyward-control","status":"alive"}"#) : nil
        }
        let environment = [
            "KEYWARD_CONTROL_URL": "http://127.0.0.1:\(server.port)", "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
        ]
        let change = try await KeywardProcess.run(["keys", "create", "--name", "n"], environment: environment)
        #expect(change.status == 1 && change.error.contains("closed the connection. The change may have been"))
        let read = try await KeywardProcess.run(["keys", "list"], environment: environment)
        #expect(read.status == 5 && !read.error.contains("may have been"))
        server.close()
    }
}
