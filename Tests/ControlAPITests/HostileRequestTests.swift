import AuthKeys
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Hostile requests")
struct HostileRequestTests {
    private static let keys = "/admin/api/v1/auth-keys"

    private static func nested(_ levels: Int) -> String {
        String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }

    // MARK: - Nesting

    @Test("JSON beyond the nesting limit is refused before it is decoded")
    func depth() async throws {
        try await ControlServer.with { server in
            let deep = "{\"name\":\"n\",\"metadata\":{\"a\":\(Self.nested(20_000))}}"
            for (path, body) in [
                (Self.keys, deep), ("/v1/verify", "{\"key\":\(Self.nested(20_000))}"),
                ("/v1/verify/batch", "{\"requests\":\(Self.nested(20_000))}"),
                (Self.keys, "{\"name\":\"n\",\"metadata\":{\"a\":\(Self.nested(31))}}"),
            ] {
                let answer = try await server.send(.POST, path, body: body)
                #expect(answer.status == 400 && answer.errorText("code") == "invalid_json", "\(answer.text)")
                #expect(answer.errorText("message")?.contains("nested more than 32 levels deep") == true)
            }
            let option = "{\"apiId\":\"a\",\"credits\":\(Self.nested(20_000))}"
            let unkey = try await server.send(.POST, "/v2/keys.createKey", body: option)
            #expect(unkey.status == 400 && unkey.errorText("detail")?.contains("nested") == true, "\(unkey.text)")
            #expect(try await server.store.list(KeyQuery()).isEmpty)
        }
    }

    @Test("JSON at the nesting limit is stored, and brackets in strings do not count")
    func deepest() async throws {
        try await ControlServer.with { server in
            let brackets = String(repeating: "[{", count: 100) + #"\\\"["#
            let body = "{\"name\":\"n\",\"metadata\":{\"a\":\(Self.nested(30)),\"b\":\"\(brackets)\"}}"
            let made = try await server.create(body)
            #expect(made.status == 201, "\(made.text)")
            let exported = try await server.send(.GET, Self.keys + "/export")
            #expect(exported.text.contains(Self.nested(30)))
            let audited = try await eventuallyText(server, "/admin/api/v1/audit-events", Self.nested(30))
            #expect(audited)
        }
    }

    private func eventuallyText(_ server: ControlServer, _ path: String, _ text: String) async throws -> Bool {
        await eventually { (try? await server.send(.GET, path).text.contains(text)) ?? false }
    }

    @Test("an import line beyond the nesting limit is refused as a line")
    func deepLine() async throws {
        try await ControlServer.with { server in
            let lines = [
                "{\"name\":\"n\",\"token\":\"\(Token.generate().value)\",\"metadata\":{\"a\":\(Self.nested(500))}}",
                "{\"name\":\"n\",\"token\":\"\(Token.generate().value)\",\"x\":\(Self.nested(500))}",
            ]
            let answer = try await server.send(
                .POST, Self.keys + "/import", body: lines.joined(separator: "\n"))
            let errors = answer.object["errors"] as? [[String: Any]] ?? []
            #expect(answer.status == 422 && errors.count == 2, "\(answer.text)")
            for error in errors {
                #expect((error["message"] as? String)?.contains("nested more than 32 levels deep") == true)
            }
        }
    }

    // MARK: - Bodies by the byte

    @Test(
        "a body that arrives byte by byte times out",
        arguments: ["/v1/verify", "/v1/introspect", keys, "/v2/keys.createKey", "/nothing"])
    func dribble(_ path: String) async throws {
        var limits = ConnectionLimits()
        limits.requestBody = .milliseconds(600)
        try await ControlServer.with(limits: limits) { server in
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: server.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let start = ContinuousClock.now
            try await channel.executeThenClose { inbound, outbound in
                let head =
                    "POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(ControlServer.adminKey)\r\n"
                    + "Content-Length: 5000\r\n\r\n"
                try await outbound.write(ByteBuffer(string: head))
                let writing = Task {
                    for _ in 0..<200 {
                        try await outbound.write(ByteBuffer(string: "{"))
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                do {
                    for try await _ in inbound {}
                } catch {
                    // The write may fail with a reset, which is also a closed connection.
                }
                writing.cancel()
            }
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    // MARK: - Paths in another form

    @Test("a doubled slash changes neither the cache control nor the format of errors")
    func slashes() async throws {
        try await ControlServer.with { server in
            for path in ["/" + Self.keys, "/admin//api/v1/auth-keys"] {
                let made = try await server.send(.POST, path, body: #"{"name":"n"}"#)
                #expect(made.status == 201 && made.headers["Cache-Control"] == ["no-store"], "\(path)")
            }
            for path in ["//v2/keys.getKey", "//v2//keys.eatKey"] {
                let wrong = try await server.send(.POST, path, body: "{}")
                #expect(wrong.errorText("detail") != nil, "\(wrong.text)")
                #expect(wrong.headers["Cache-Control"] == ["no-store"])
            }
            for path in ["/healthz", "/readyz", "/metrics", "/nothing"] {
                #expect(try await server.send(.GET, path).headers["Cache-Control"] == ["no-store"], "\(path)")
            }
            for path in ["/docs", "/openapi.json"] {
                #expect(try await server.send(.GET, path).headers["Cache-Control"] != ["no-store"], "\(path)")
            }
        }
    }

    // MARK: - Refusals where keys are asked about

    @Test("refused callers of the verification routes are recorded in the trail")
    func trail() async throws {
        try await ControlServer.with { server in
            let reader = try await server.adminKey(#""permissions":["keys:read"],"owner":"acme""#)
            let paths = ["/v1/verify", "/v1/verify/batch", "/v2/keys.verifyKey", "/v2/keys.whoami", "/v1/introspect"]
            let type = [("Content-Type", "application/x-www-form-urlencoded")]
            for path in paths {
                for (admin, status) in [(nil, 401), ("junk", 401), (reader, 403)] {
                    let answer = try await server.send(.POST, path, body: "token=x", admin: admin, headers: type)
                    #expect(answer.status == status, "\(path): \(answer.text)")
                }
            }
            let isWritten = await eventually {
                let described = try? await server.send(.GET, "/admin/api/v1/audit-events?action=key.verify&limit=100")
                return described?.objects.count == 3 * paths.count
            }
            #expect(isWritten)
            let described = try await server.send(.GET, "/admin/api/v1/audit-events?action=key.verify&limit=100")
            let events = described.objects
            for event in events {
                #expect(event["outcome"] as? String == "refused" && event["request_id"] as? String != "")
            }
            let reasons = events.compactMap { $0["code"] as? String }.sorted()
            let all = ["key_missing", "key_unknown", "permission_missing"].flatMap {
                Array(repeating: $0, count: paths.count)
            }
            #expect(reasons == all, "\(described.text)")
            let known = events.filter { ($0["actor"] as? [String: Any])?["kind"] as? String == "admin_key" }
            #expect(
                known.count == paths.count && known.allSatisfy { $0["owner"] as? String == "acme" }, "\(described.text)"
            )
        }
    }
}
