import TestSupport
import Testing

@testable import ControlAPI

@Suite("Expect: 100-continue")
struct ExpectTests {
    private static let keys = "/admin/api/v1/auth-keys"

    private func head(_ path: String, length: Int, admin: String = ControlServer.adminKey, _ more: String = "")
        -> String
    {
        "POST \(path) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(admin)\r\nContent-Type: application/json\r\n"
            + "Expect: 100-continue\r\nContent-Length: \(length)\r\n\(more)\r\n"
    }

    @Test(
        "100 (Continue) precedes the body, and the response follows it",
        arguments: [
            (keys, #"{"name":"n"}"#, "201"), (keys + "/import", #"{"name":"n"}"#, "422"),
            ("/v1/verify", #"{"key":"kw_x"}"#, "200"),
        ])
    func admitted(_ path: String, _ body: String, _ status: String) async throws {
        try await ControlServer.with { server in
            let connection = try RawConnection(to: server.url)
            for _ in 0..<2 {
                connection.send(head(path, length: body.utf8.count))
                let interim = await connection.read { $0.hasSuffix("\r\n\r\n") }
                #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
                connection.send(body)
                let response = try #require(await connection.read { $0.hasSuffix("}") || $0.hasSuffix("}\n") })
                #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(response)")
            }
        }
    }

    @Test("a repeated or listed expectation is met once")
    func repeatedExpectation() async throws {
        try await ControlServer.with { server in
            for more in ["Expect: 100-Continue\r\n", "Expect: other, 100-continue\r\n"] {
                let connection = try RawConnection(to: server.url)
                connection.send(head(Self.keys, length: 12, more))
                #expect(await connection.read { $0.hasSuffix("\r\n\r\n") } == "HTTP/1.1 100 Continue\r\n\r\n")
            }
        }
    }

    @Test("an overlong body is refused without 100 (Continue)")
    func refused() async throws {
        try await ControlServer.with { server in
            let connection = try RawConnection(to: server.url)
            connection.send(head(Self.keys, length: 10_000_000))
            let response = try #require(await connection.read())
            #expect(response.hasPrefix("HTTP/1.1 413 ") && !response.contains("100 Continue"), "\(response)")
        }
    }

    @Test(
        "a caller without a valid admin key is refused without 100 (Continue)",
        arguments: [keys, keys + "/import", "/v1/verify", "/v1/introspect", "/v2/keys.verifyKey", "/v2/keys.createKey"])
    func unauthenticated(_ path: String) async throws {
        try await ControlServer.with { server in
            let connection = try RawConnection(to: server.url)
            connection.send(head(path, length: 20, admin: "wrong"))
            let response = try #require(await connection.read())
            #expect(response.hasPrefix("HTTP/1.1 401 ") && !response.contains("100 Continue"), "\(response)")
        }
    }

    @Test("a request without a body, or with another expectation, gets only its response")
    func others() async throws {
        try await ControlServer.with { server in
            for request in [
                "GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
                "POST /v1/verify HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
                "POST /v1/verify HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
            ] {
                let connection = try RawConnection(to: server.url)
                connection.send(request)
                let response = try #require(await connection.read())
                #expect(!response.contains("100 Continue") && response.hasPrefix("HTTP/1.1 "), "\(response)")
            }
        }
    }
}
