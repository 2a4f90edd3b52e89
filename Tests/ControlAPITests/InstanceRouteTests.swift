import AuthKeys
import NIOHTTP1
import TestSupport
import Testing

@Suite("Instance routes")
struct InstanceRouteTests {
    @Test("an order to reload all keys is accepted with and without a body, and recorded in the trail")
    func resync() async throws {
        try await ControlServer.with { server in
            for (body, accepts) in [(nil, false), ("{}", false), (#"{"accept_database":true}"#, true)]
                as [(String?, Bool)]
            {
                let answer = try await server.send(.POST, "/admin/api/v1/instances/resync", body: body)
                #expect(answer.status == 202 && answer.text == #"{"accept_database":\#(accepts)}"#, "\(answer.text)")
            }
            let events = try await server.store.events(AuditQuery(action: .instancesResync))
            #expect(events.count == 3 && events.allSatisfy { $0.actor == AuditActor.bootstrap.text })
        }
    }

    @Test("unknown members and admin keys for one owner are refused")
    func refused() async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(
                .POST, "/admin/api/v1/instances/resync", body: #"{"accept_databse":true}"#)
            #expect(answer.status == 400 && answer.text.contains("accept_databse"))
            let null = try await server.send(
                .POST, "/admin/api/v1/instances/resync", body: #"{"accept_database":null}"#)
            #expect(null.status == 400 && null.errorText("param") == "accept_database")
            #expect(try await server.send(.POST, "/admin/api/v1/instances/resync", admin: nil).status == 401)
        }
    }
}
