import AuthKeys
import Foundation
import Gateway
import HTTPCredentials
import RequestLog
import Synchronization
import TestSupport
import Testing

/// Requests that the gateway answers itself, because they ask about their key. `SelfServiceProcessTests` has those that
/// need PostgreSQL.
@Suite("Self-service at the gateway") struct SelfServiceTests {
    private static let path = "/.well-known/api-key"

    /// A service that records its requests.
    private final class Service: SelfService {
        let record: SelfRecord?
        let result: Result<SelfRotation, SelfServiceFault>
        let delay: Duration
        let requests = Mutex<[SelfRotationRequest]>([])

        init(
            record: SelfRecord? = nil, delay: Duration = .zero,
            result: Result<SelfRotation, SelfServiceFault> = .failure(.unavailable)
        ) {
            (self.record, self.result, self.delay) = (record, result, delay)
        }

        func record(of key: KeyID) async -> SelfRecord? { record }

        func rotate(_ request: SelfRotationRequest) async throws(SelfServiceFault) -> SelfRotation {
            requests.withLock { $0.append(request) }
            try? await Task.sleep(for: delay)
            return try result.get()
        }
    }

    private static let rotated = SelfRotation(
        id: .generate(), value: "kw_new", redactedValue: "kw_...w", previousExpiresAt: nil)

    private func options(_ service: Service?, policy: KeyPolicy = .none) throws -> HarnessOptions {
        var options = HarnessOptions(owner: "acme", scopes: "docs:read", policy: policy, selfService: service)
        let path = try #require(SelfPath(Self.path))
        options.configuration.selfPath = path
        options.configuration.scopes = ScopeRules([try #require(ScopeRules.Rule("* /**=admin"))])
        return options
    }

    private func upstream() async throws -> RawUpstream {
        try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
    }

    private func post(_ gateway: GatewayHarness, _ body: String = "", _ more: String = "") -> String {
        "POST \(Self.path)/rotate HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\(more)Content-Length: \(body.utf8.count)\r\n\r\n"
            + body
    }

    private func object(_ response: RawResponse) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(response.body))) as? [String: Any] ?? [:]
    }

    @Test("a key that is restricted to other requests and over its limit sees itself, and spends nothing")
    func key() async throws {
        let limits = [
            try #require(LimitRule("hour", .rate(period: .seconds(3_600), burst: 5), limit: 5)),
            try #require(LimitRule("at-a-time", .concurrent, limit: 2)),
        ]
        let policy = try #require(KeyPolicy(methods: ["DELETE"], paths: ["/other/**"], limits: limits))
        let service = Service(
            record: SelfRecord(allowsRotation: true, requestsToday: 7, credits: nil))
        let upstream = try await upstream()
        try await withGateway(before: upstream, options: options(service, policy: policy)) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for _ in 0..<8 {
                try await client.send(gateway.get(Self.path + "?verbose=1"))
                let response = try await client.response()
                let seen = object(response)
                #expect(response.status == 200 && response["Cache-Control"] == ["no-store"], "\(response.text)")
                #expect(response["Content-Type"] == ["application/json"] && response["X-Request-Id"].count == 1)
                #expect(seen["auth_key_id"] as? String == gateway.keyID.description)
                #expect(seen["name"] as? String == "test key" && seen["owner"] as? String == "acme")
                #expect(seen["scopes"] as? [String] == ["docs:read"])
                #expect(seen["self_rotation"] as? Bool == true && seen["requests_today"] as? Int == 7)
                let shown = try #require(seen["limits"] as? [[String: Any]])
                #expect(shown.map { $0["name"] as? String } == ["hour", "at-a-time"])
                #expect(shown.map { $0["remaining"] as? Int } == [5, 2] && shown[0]["limit"] as? Int == 5)
                #expect(shown.allSatisfy { $0["exceeded"] as? Bool == false })
            }
            // A HEAD has the same length, and X-API-Key is accepted as elsewhere.
            try await client.send(
                "HEAD \(Self.path) HTTP/1.1\r\nHost: a\r\nX-API-Key: \(gateway.token.value)\r\n\r\n")
            let head = try await client.response(toHead: true)
            #expect(head.status == 200 && head.body.isEmpty && head["Content-Length"] != ["0"])
            await client.close()
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("without the database, only what the instance knows is shown") func memory() async throws {
        try await withGateway(before: try await upstream(), options: options(nil)) { gateway async throws in
            let response = try await gateway.exchange(gateway.get(Self.path))
            let seen = object(response)
            #expect(response.status == 200 && seen["requests_today"] == nil && seen["self_rotation"] == nil)
            #expect((seen["limits"] as? [Any])?.isEmpty == true)
            let rotation = try await gateway.exchange(post(gateway))
            #expect(rotation.status == 503 && rotation.text.contains(#""code":"feature_unavailable""#))
            #expect(rotation["Retry-After"] == ["1"])
        }
    }

    @Test("an invalid key and a key of another network are refused as elsewhere, and nothing is cached")
    func refused() async throws {
        let policy = try #require(KeyPolicy(cidrs: ["192.0.2.0/24"]))
        try await withGateway(before: try await upstream(), options: options(nil, policy: policy)) {
            gateway async throws in
            for path in [Self.path, Self.path + "/rotate"] {
                let method = path == Self.path ? "GET" : "POST"
                func ask(_ field: String) async throws -> RawResponse {
                    try await gateway.exchange("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
                }
                let network = try await ask(gateway.bearer)
                #expect(network.status == 403 && network.text.contains("ip_not_allowed"))
                let missing = try await ask("")
                #expect(missing.status == 401 && missing.text.contains("key_missing"))
                let query = try await gateway.exchange(
                    "\(method) \(path)?api_key=\(gateway.token.value) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(query.status == 401 && query.text.contains("key_missing"))
                let unknown = try await ask("X-API-Key: \(Token.generate().value)\r\n")
                #expect(unknown.status == 401 && unknown.text.contains("key_unknown"))
                let twice = try await ask(gateway.bearer + "X-API-Key: other\r\n")
                #expect(twice.status == 400 && twice.text.contains("ambiguous_credentials"))
                for response in [network, missing, unknown, twice] {
                    #expect(response["Cache-Control"] == ["no-store"])
                }
            }
            gateway.apply(.active, expiresAt: Timestamp(microseconds: 1_000_000))
            let expired = try await gateway.exchange(gateway.get(Self.path, "Accept: application/problem+json\r\n"))
            #expect(expired.status == 401 && expired.text.contains(#""code":"key_expired""#))
            #expect(expired["Content-Type"] == ["application/problem+json"])
            #expect(expired["WWW-Authenticate"].first?.contains("invalid_token") == true)
            gateway.apply(.disabled)
            let paused = try await gateway.exchange(gateway.get(Self.path))
            #expect(paused.status == 401 && paused.text.contains(#""code":"key_inactive""#))
        }
    }

    @Test("other methods get 405 with Allow, and other paths reach the upstream") func methods() async throws {
        let upstream = try await upstream()
        var options = try options(Service())
        options.configuration.scopes = ScopeRules()
        try await withGateway(before: upstream, options: options) { gateway async throws in
            for (method, path, allowed) in [
                ("POST", "", "GET, HEAD"), ("OPTIONS", "", "GET, HEAD"), ("GET", "/rotate", "POST"),
                ("post", "/rotate", "POST"),
            ] {
                let response = try await gateway.exchange(
                    "\(method) \(Self.path)\(path) HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\r\n")
                #expect(response.status == 405 && response["Allow"] == [allowed], "\(method) \(path)")
                #expect(response.text.contains("method_not_allowed") && response["Cache-Control"] == ["no-store"])
            }
            #expect(upstream.requests.isEmpty)
            for path in ["/", Self.path + "s", Self.path + "/other"] {
                let response = try await gateway.exchange(gateway.get(path))
                #expect(response.text == "ok" && response["Cache-Control"].isEmpty)
            }
            #expect(upstream.requests.count == 3)
        }
    }

    @Test("a rotation gets the body, the key, its secret and the client, and its connection is kept")
    func rotation() async throws {
        let service = Service(result: .success(Self.rotated))
        try await withGateway(before: try await upstream(), options: options(service)) { gateway async throws in
            let client = try await connect(port: gateway.port)
            let body = #"{"grace_seconds":60}"#
            let chunked =
                "POST \(Self.path)/rotate HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Transfer-Encoding: chunked\r\n\r\n"
                + "5\r\n\(body.prefix(5))\r\nf\r\n\(body.dropFirst(5))\r\n0\r\n\r\n"
            for request in [post(gateway), post(gateway, body), chunked] {
                try await client.send(request)
                let response = try await client.response()
                let seen = object(response)
                #expect(response.status == 200 && response["Cache-Control"] == ["no-store"], "\(response.text)")
                #expect(seen["value"] as? String == "kw_new" && seen["redacted_value"] as? String == "kw_...w")
                #expect(seen["rotation_id"] as? String == Self.rotated.id.description)
            }
            await client.close()
            let requests = service.requests.withLock { $0 }
            #expect(requests.map { String(decoding: $0.body, as: UTF8.self) } == ["", body, body])
            #expect(requests.allSatisfy { $0.key == gateway.keyID && $0.secret == gateway.token.digest })
            #expect(requests.allSatisfy { $0.address == "127.0.0.1" && !$0.requestID.isEmpty })
        }
    }

    @Test("a body beyond the limit, or one that is cut off, rotates nothing") func body() async throws {
        let service = Service(result: .success(Self.rotated))
        try await withGateway(before: try await upstream(), options: options(service)) { gateway async throws in
            let long = try await gateway.exchange(post(gateway, String(repeating: " ", count: 1_025)))
            #expect(long.status == 413 && long.text.contains("body_too_large"))
            #expect(long["Connection"] == ["close"])
            let broken = try await gateway.exchange(
                "POST \(Self.path)/rotate HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Transfer-Encoding: chunked\r\n\r\nx\r\n"
            )
            #expect(broken.status == 400)
            let client = try await connect(port: gateway.port)
            try await client.send(
                "POST \(Self.path)/rotate HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 9\r\n\r\n{")
            await client.close()
            #expect(service.requests.withLock { $0.isEmpty })
        }
    }

    @Test(
        "the reason for a refused rotation has a status and a code",
        arguments: [
            (SelfServiceFault.rotationNotAllowed, 403, "self_rotation_not_allowed"),
            (.secretReplaced, 403, "secret_replaced"), (.keyEnded, 401, "key_inactive"),
            (.rotatedRecently(retryAfter: 17), 429, "rotated_recently"), (.unavailable, 503, "feature_unavailable"),
            (.outcomeUnknown, 503, "outcome_unknown"),
            (.invalidJSON, 400, "invalid_json"), (.invalidGrace(limit: 9), 400, "validation_failed"),
        ])
    func faults(fault: SelfServiceFault, status: Int, code: String) async throws {
        let service = Service(result: .failure(fault))
        try await withGateway(before: try await upstream(), options: options(service)) { gateway async throws in
            let response = try await gateway.exchange(post(gateway))
            #expect(response.status == status && response.text.contains("\"code\":\"\(code)\""), "\(response.text)")
            if status == 429 { #expect(response["Retry-After"] == ["17"]) }
        }
    }

    @Test("the response to a rotation arrives although its own secret ends meanwhile") func ended() async throws {
        let service = Service(delay: .milliseconds(900), result: .success(Self.rotated))
        try await withGateway(before: try await upstream(), options: options(service)) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(post(gateway))
            _ = await eventually(within: .seconds(5)) { service.requests.withLock { !$0.isEmpty } }
            gateway.revoke()
            let response = try await client.response()
            #expect(response.status == 200 && response.text.contains("kw_new"))
            await client.close()
        }
    }

    @Test("each request leaves a line with its key and without an upstream, and does not count as use of the key")
    func lines() async throws {
        let service = Service(result: .success(Self.rotated))
        let log = try await withGateway(before: try await upstream(), options: options(service)) {
            gateway async throws in
            _ = try await gateway.exchange(gateway.get(Self.path))
            _ = try await gateway.exchange(post(gateway))
            _ = try await gateway.exchange("DELETE \(Self.path) HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\r\n")
            await gateway.usage.collect()
            let report = try await gateway.store.usage(gateway.keyID, days: 1)
            #expect(report?.usage.requests ?? 0 == 0)
            return (gateway.log, gateway.keyID)
        }
        let lines = try #require(log.0.rows).takeLines()
        #expect(lines.map(\.status) == [200, 200, 405] && lines.map(\.upstream) == [0, 0, 0])
        #expect(lines.prefix(2).allSatisfy { $0.keyID == log.1 && $0.owner == "acme" && $0.outcome == .allowed })
        #expect(lines.map(\.path) == [Self.path, Self.path + "/rotate", Self.path])
    }

    @Test("HTTP/2 requests are answered alike") func http2() async throws {
        let service = Service(
            record: SelfRecord(allowsRotation: false, requestsToday: 1, credits: nil), result: .success(Self.rotated))
        let files = try TLSTests.Files()
        var options = try options(service)
        options.configuration.certificate = files.certificate
        try await withGateway(before: try await upstream(), options: options) { gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            func head(_ method: String, _ path: String) -> [(String, String)] {
                [
                    (":method", method), (":scheme", "https"), (":authority", "api.test"), (":path", path),
                    ("authorization", "Bearer \(gateway.token.value)"),
                ]
            }
            let seen = try await client.exchange(head("GET", Self.path))
            #expect(seen.status == "200" && seen["cache-control"] == ["no-store"])
            #expect(seen.body.contains(#""self_rotation":false"#) && seen.body.contains(gateway.keyID.description))
            let rotated = try await client.exchange(head("POST", Self.path + "/rotate"), body: "{}")
            #expect(rotated.status == "200" && rotated.body.contains("kw_new"))
            let other = try await client.exchange(head("PUT", Self.path))
            #expect(other.status == "405" && other["allow"] == ["GET, HEAD"])
            await client.close()
        }
    }
}
