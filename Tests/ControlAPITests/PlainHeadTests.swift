import AuthKeys
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Heads beyond ASCII")
struct PlainHeadTests {
    private func answer(
        _ server: ControlServer, _ target: String, _ fields: [(String, String)] = []
    ) async throws -> (status: String, text: String) {
        let connection = try RawConnection(to: server.url)
        let lines = fields.map { "\($0.0): \($0.1)\r\n" }.joined()
        connection.send("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(lines)\r\n")
        let text = await connection.read() ?? ""
        return (String(text.dropFirst(9).prefix(3)), text)
    }

    @Test("an error names the byte of a target that must be percent-encoded")
    func target() async throws {
        try await ControlServer.with { server in
            let wrong = try await answer(server, "/healthz/é")
            #expect(
                wrong.status == "400")
            let query = try await answer(
                server, "/admin/api/v1/auth-keys?q=é", [("Authorization", "Bearer \(ControlServer.adminKey)")])
            #expect(query.status == "400")
            #expect(try await answer(server, "/healthz#a").status == "400")
        }
    }

    @Test("an overlong target gets 414")
    func length() async throws {
        try await ControlServer.with { server in
            let path = "/healthz?" + String(repeating: "a", count: PlainHeads.targetLimit - 9)
            #expect(try await answer(server, path).status == "200")
            let long = try await answer(server, path + "a")
            #expect(long.status == "414" && long.text.contains("target_too_long"))
        }
    }

    @Test("unread fields may contain any byte, and read fields with such bytes never match")
    func fields() async throws {
        try await ControlServer.with { server in
            for (name, value) in [("Cookie", "é"), ("Referer", "/é"), ("X-Any", "é\u{301}"), ("User-Agent", "é")] {
                let status = try await answer(server, "/healthz", [(name, value)]).status
                #expect(status == "200")
            }
            let keys = "/admin/api/v1/auth-keys"
            let admin = ControlServer.adminKey
            let valid = try await answer(server, keys, [("Authorization", "Bearer \(admin)")]).status
            #expect(valid == "200")
            for wrong in ["Bearer \(admin)é", "Bearér \(admin)", "Bearer \(admin.dropLast())\u{017F}"] {
                let status = try await answer(server, keys, [("Authorization", wrong)]).status
                #expect(status == "401")
            }
        }
    }

    @Test("a forwarded target that is overlong or not ASCII is refused")
    func forwarded() async throws {
        try await ControlServer.with { server in
            let key = try #require(try await server.create(#"{"name":"n"}"#).object["value"] as? String)
            let (path, credential) = ("/v1/forward-auth", ("X-API-Key", key))
            let long = "/" + String(repeating: "a", count: PlainHeads.targetLimit)
            let method = ("X-Forwarded-Method", "GET")
            #expect(try await answer(server, path, [credential, method, ("X-Forwarded-Uri", "/a")]).status == "200")
            for described in ["/é", long, "/a b"] {
                #expect(
                    try await answer(server, path, [credential, method, ("X-Forwarded-Uri", described)]).status == "403"
                )
            }
            #expect(
                try await answer(server, path, [credential, ("X-Forwarded-Method", "GÉT"), ("X-Forwarded-Uri", "/")])
                    .status == "403")
            #expect(try await answer(server, path + "/a", [credential]).status == "200")
            for target in [long] {
                #expect(try await answer(server, path + target, [credential]).status == "403")
            }
        }
    }
}
