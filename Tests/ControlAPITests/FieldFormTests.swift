import TestSupport
import Testing

@testable import ControlAPI

@Suite("Header field forms at forward-auth (docs/fields.md)")
struct FieldFormTests {
    private func ask(_ fields: [String], _ server: ControlServer) async throws -> (status: String, text: String) {
        let connection = try RawConnection(to: server.url)
        connection.send(
            "GET /v1/forward-auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                + fields.map { $0 + "\r\n" }.joined() + "\r\n")
        let response = try #require(await connection.read())
        return (String(response.dropFirst("HTTP/1.1 ".count).prefix(3)), response)
    }

    private func key(_ server: ControlServer, _ members: String = "") async throws -> String {
        let made = try await server.create(#"{"name":"n"\#(members)}"#)
        return try #require(made.object["value"] as? String, "\(made.text)")
    }

    @Test("credentials are read as documented")
    func credentials() async throws {
        let rows = try DocumentedTable.rows(below: "Credentials")
        try await ControlServer.with { server in
            let (key, other) = (try await key(server), try await key(server))
            for row in rows {
                let fields = row[0].code.map { $0.replacing("KEY", with: key).replacing("OTHER", with: other) }
                let answer = try await ask(["X-Forwarded-Method: GET", "X-Forwarded-Uri: /"] + fields, server)
                #expect(row[1].text.replacing("400", with: "403").hasPrefix(answer.status), "\(row[0].text): \(answer)")
                for code in row[1].code { #expect(answer.text.contains("\"code\":\"\(code)\""), "\(row[0].text)") }
            }
        }
    }

    @Test("method, path and address are read as documented")
    func request() async throws {
        let rows = try DocumentedTable.rows(below: "Fields at `/v1/forward-auth`")
        try await ControlServer.with { server in
            let key = try await key(
                server, #","allowed_methods":["GET"],"allowed_paths":["/a"],"allowed_cidrs":["203.0.113.7/32"]"#)
            for row in rows {
                let answer = try await ask(row[0].code + ["X-API-Key: \(key)"], server)
                #expect(row[1].text.hasPrefix(answer.status), "\(row[0].text): \(answer)")
                for code in row[1].code { #expect(answer.text.contains("\"code\":\"\(code)\""), "\(row[0].text)") }
            }
        }
    }
}
