import AuthKeys
import ControlBodies
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

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

    private static let heartbeat = Heartbeat(
        identity: InstanceIdentity(
            id: KeyID(high: 7, low: 7), name: "gw \u{202E}3", version: "0.1.0", kind: .middleware),
        uptime: .seconds(60),
        progress: InstanceProgress(applied: 17, indexAge: .milliseconds(412)),
        figures: #"{"keys": 3, "more": {"a": [1]}}"#)

    @Test("an instance is listed with its state and its figures")
    func list() async throws {
        try await ControlServer.with { server in
            #expect(try await server.send(.GET, "/admin/api/v1/instances").text == "[]")
            _ = try await server.instances.record(Self.heartbeat)
            let answer = try await server.send(.GET, "/admin/api/v1/instances")
            let instance = try #require(answer.objects.first, "\(answer.text)")
            #expect(answer.status == 200 && answer.objects.count == 1)
            #expect(instance["id"] as? String == "00000000-0000-0007-0000-000000000007")
            #expect(instance["name"] as? String == "gw \u{202E}3" && instance["version"] as? String == "0.1.0")
            #expect(instance["kind"] as? String == "middleware" && instance["live"] as? Bool == true)
            #expect(instance["index_age_seconds"] as? Double == 0.412 && instance["lag"] as? Int == 0)
            let started = try Timestamp(rfc3339: try #require(instance["started_at"] as? String))
            let seen = try Timestamp(rfc3339: try #require(instance["seen_at"] as? String))
            #expect(seen.microseconds - started.microseconds == 60_000_000)
            #expect(answer.text.contains(#""figures":{"keys":3,"more":{"a":[1]}}"#), "\(answer.text)")
        }
    }

    @Test("an instance that is not live has no position, and stays in the list")
    func gone() async throws {
        let clock = ManualClock()
        let store = InMemoryInstances(time: clock.source)
        _ = try await store.record(Self.heartbeat)
        clock.advance(by: .seconds(11))
        let record = try #require(try await store.instances().first)
        let instance = InstanceJSON(record)
        #expect(!instance.live && instance.lag == nil && instance.indexAgeSeconds == nil)
    }

    @Test("the list needs keys:read, and an admin key without an owner")
    func permissions() async throws {
        try await ControlServer.with { server in
            _ = try await server.instances.record(Self.heartbeat)
            for (members, status) in [
                (#""permissions":["keys:read"]"#, 200), (#""permissions":["admin"]"#, 403),
                (#""permissions":["verify"]"#, 403), (#""permissions":["keys:read"],"owner":"acme""#, 403),
            ] {
                let admin = try await server.adminKey(members)
                let answer = try await server.send(.GET, "/admin/api/v1/instances", admin: admin)
                #expect(answer.status == status && (status == 200) == answer.text.contains("gw"), "\(members)")
            }
            #expect(try await server.send(.GET, "/admin/api/v1/instances?limit=1").status == 400)
        }
    }

    @Test("without the database, the list is unavailable")
    func unavailable() async throws {
        try await ControlServer.with { server in
            server.instances.failure = StoreError(.unavailable, detail: "away")
            let answer = try await server.send(.GET, "/admin/api/v1/instances")
            #expect(answer.status == 503 && answer.errorText("code") == "feature_unavailable")
            #expect(!answer.text.contains("away"))
        }
    }
}
