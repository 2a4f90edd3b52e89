import AsyncHTTPClient
import AuthKeys
import Crypto
import Foundation
import Glibc
import KeyAdministration
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Import route")
struct ImportRouteTests {
    private let path = "/admin/api/v1/auth-keys/import"

    private func token(_ name: String) -> String { "sk_gom_secret-canary-\(name)-0123456789" }

    /// Returns a line with a token of the origin system.
    private func line(_ name: String, _ more: String = "") -> String {
        let digest = Hex.text(Array(SHA256.hash(data: Data(token(name).dropFirst(7).utf8))))
        return
            #"{"name":"\#(name)","digest":"\#(digest)","algorithm":"sha256","of":"suffix","prefix":"sk_gom_"\#(more)}"#
    }

    private func errors(_ answer: ControlServer.Answer) -> [[String: Any]] {
        answer.object["errors"] as? [[String: Any]] ?? []
    }

    private func lines(_ answer: ControlServer.Answer) -> [Int] { errors(answer).compactMap { $0["line"] as? Int } }

    @Test("keys are imported with all members of a creation, and with their ids and times")
    func full() async throws {
        try await ControlServer.with { server in
            let id = "0190163d-8694-739b-8b6e-c1e1b9f4a2d3"
            let body = """
                {"token":"\(token("a"))","prefix":"sk_gom_","name":" a ","id":"\(id)","owner":"o","scopes":["x"],"labels":{"env":"prod"},\
                "metadata":{"n":1},"enabled":false,"expires_at":4000000000,"not_before":1000.5,"allowed_methods":["get"],\
                "created_at":1700000000,"updated_at":"2024-01-01T00:00:00Z","deactivated_at":1700000001,"redacted_value":"ignored"}\r

                \(line("b", #","last_four":"6789","expires_at":null,"created_at":null,"description":"d""#))
                """
            let answer = try await server.send(.POST, path, body: body)
            #expect(answer.status == 200, "\(answer.text)")
            #expect(answer.object["imported"] as? Int == 2 && answer.object["failed"] as? Int == 0)
            #expect(answer.object["dry_run"] as? Bool == false && errors(answer).isEmpty)
            let a = try await server.send(.GET, "/admin/api/v1/auth-keys/\(id)").object
            #expect(a["name"] as? String == "a" && a["owner"] as? String == "o" && a["enabled"] as? Bool == false)
            #expect(a["redacted_value"] as? String == "sk_gom_...6789")
            #expect(
                a["created_at"] as? String == "2023-11-14T22:13:20Z"
                    && a["updated_at"] as? String == "2024-01-01T00:00:00Z")
            #expect(
                a["expires_at"] as? String == "2096-10-02T07:06:40Z"
                    && a["not_before"] as? String == "1970-01-01T00:16:40.5Z")
            #expect(a["deactivated_at"] as? String == "2023-11-14T22:13:21Z" && a["active"] as? Bool == false)
            let b = try #require(try await server.send(.GET, "/admin/api/v1/auth-keys?q=b").objects.first)
            #expect(b["redacted_value"] as? String == "sk_gom_...6789" && b["active"] as? Bool == true)
        }
    }

    @Test("an invalid line is named with its number and member, and only mode=skip imports the others")
    func badLines() async throws {
        try await ControlServer.with { server in
            let long = #"{"name":"\#(String(repeating: "x", count: 70_000))"}"#
            let body = [
                line("good"), "", "{", "[1]", line("two", #","expires_at":"tomorrow""#), line(""), long,
                line("three", #","created_at":1e300"#), line("four", #","labels":7"#), line("five", #","id":"five""#),
                #"{"name":"six"}"#, #"{"name":"seven","token":"\#(token("x"))","prefix":"\#(token("y"))"}"#,
                line("last"),
            ].joined(separator: "\n")
            let answer = try await server.send(.POST, path, body: body)
            #expect(answer.status == 422)
            #expect(answer.object["imported"] as? Int == 0 && answer.object["failed"] as? Int == 10)
            #expect(lines(answer) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "\(answer.text)")
            let params = errors(answer).map { $0["param"] as? String }
            #expect(
                params == [nil, nil, "expires_at", "name", nil, "created_at", "labels", "id", "digest", "prefix"])
            #expect(!answer.text.contains("secret-canary"))
            #expect(try await server.store.list(KeyQuery()).isEmpty)
            let skipped = try await server.send(.POST, path + "?mode=skip", body: body)
            #expect(skipped.status == 200 && skipped.object["imported"] as? Int == 2)
            #expect(lines(skipped) == lines(answer))
            #expect(Set(try await server.store.list(KeyQuery()).map(\.name)) == ["good", "last"])
        }
    }

    @Test("a dry run reports the result and imports no key")
    func dryRun() async throws {
        try await ControlServer.with { server in
            let body = [line("a"), line("b"), line("a")].joined(separator: "\n")
            let valid = try await server.send(.POST, path + "?dry_run=true", body: line("a"))
            #expect(
                valid.status == 200 && valid.object["imported"] as? Int == 1 && valid.object["dry_run"] as? Bool == true
            )
            let invalid = try await server.send(.POST, path + "?dry_run=true", body: body)
            #expect(invalid.status == 409 && invalid.object["imported"] as? Int == 0 && lines(invalid) == [3])
            let skipped = try await server.send(.POST, path + "?dry_run=true&mode=skip", body: body)
            #expect(skipped.status == 200 && skipped.object["imported"] as? Int == 2 && lines(skipped) == [3])
            #expect(try await server.store.list(KeyQuery()).isEmpty && server.index.schemes.all.isEmpty)
        }
    }

    @Test("each line that repeats an existing key is a conflict")
    func duplicates() async throws {
        try await ControlServer.with { server in
            let body = [line("a"), line("b")].joined(separator: "\n")
            #expect(try await server.send(.POST, path, body: body).status == 200)
            let again = try await server.send(.POST, path, body: body)
            #expect(again.status == 409 && lines(again) == [1, 2])
            #expect(errors(again).first?["param"] as? String == "digest")
            #expect(errors(again).first?["message"] as? String == "a key with this secret exists")
            let mixed = try await server.send(.POST, path, body: body + "\n{}\n")
            #expect(mixed.status == 422 && lines(mixed) == [1, 2, 3])
            let rest = try await server.send(.POST, path + "?mode=skip", body: body + "\n" + line("c"))
            #expect(rest.status == 200 && rest.object["imported"] as? Int == 1)
        }
    }

    @Test("errors are listed up to a limit, and counted beyond it")
    func manyErrors() async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.POST, path, body: String(repeating: "{}\n", count: 1_500))
            #expect(answer.status == 422 && answer.object["failed"] as? Int == 1_500)
            #expect(lines(answer) == Array(1...1_000) && answer.object["errors_truncated"] as? Bool == true)
        }
    }

    @Test("a body beyond the limit of other routes is imported in chunks of any size")
    func large() async throws {
        try await ControlServer.with { server in
            let count = 3_000
            let text = (0..<count).map { line("n\($0)", #","description":"é""#) }.joined(separator: "\n")
            let bytes = Array(text.utf8)
            let pieces = stride(from: 0, to: bytes.count, by: 7_001).map {
                ByteBuffer(bytes: bytes[$0..<min($0 + 7_001, bytes.count)])
            }
            var request = HTTPClientRequest(url: server.url + path)
            request.method = .POST
            request.headers.add(name: "Authorization", value: "Bearer \(ControlServer.adminKey)")
            request.body = .stream(pieces.async, length: .unknown)
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            #expect(response.status == .ok)
            #expect(try await server.store.list(KeyQuery(limit: 5_000)).count == count)
            let other = try await server.create(String(repeating: " ", count: 70_000))
            #expect(other.status == 413)
        }
    }

    @Test("other methods on the path of the import have the limit of other bodies")
    func otherMethods() async throws {
        try await ControlServer.with { server in
            let body = #"{"name":"\#(String(repeating: "n", count: 70_000))"}"#
            for (method, path) in [(HTTPMethod.PATCH, path), (.DELETE, path), (.POST, path + "/")] {
                let answer = try await server.send(method, path, body: body)
                #expect(answer.status == 413)
            }
        }
    }

    @Test("invalid parameters, a missing admin key and an unavailable database are reported before the body is read")
    func refusals() async throws {
        try await ControlServer.with { server in
            let big = String(repeating: line("a") + "\n", count: 20_000)
            for (query, param) in [("?mode=some", "mode"), ("?dry_run=1", "dry_run")] {
                let answer = try await server.send(.POST, path + query, body: big)
                #expect(answer.status == 400 && answer.errorText("param") == param)
                #expect(answer.headers.first(name: "Connection") == "close")
            }
            let anonymous = try await server.send(.POST, path, body: big, admin: nil)
            #expect(anonymous.status == 401)
            server.store.isDown = true
            let away = try await server.send(.POST, path, body: big)
            #expect(away.status == 503 && away.errorText("code") == "feature_unavailable")
            server.store.isDown = false
            #expect(try await server.send(.POST, path, body: "").object["imported"] as? Int == 0)
        }
    }

    /// Sends the beginning of an import, and returns the open connection.
    private func begin(_ server: ControlServer, _ text: String) async throws -> any Channel {
        let head =
            "POST \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(ControlServer.adminKey)\r\nContent-Length: 1000000\r\n\r\n"
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: server.port).get()
        try await client.writeAndFlush(ByteBuffer(string: head + text))
        return client
    }

    @Test("an import times out if its lines stall, and the next import runs")
    func slow() async throws {
        let timeouts = ImportTimeouts(batch: .seconds(2), total: .seconds(600))
        try await ControlServer.with(importTimeouts: timeouts) { server in
            let client = try await begin(server, line("slow") + "\n")
            let trickle = Task {
                while true {
                    try await client.writeAndFlush(ByteBuffer(string: "\n"))
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            #expect(await eventually { server.store.isImporting })
            let busy = try await server.send(.POST, path, body: line("a"))
            #expect(busy.status == 409 && busy.errorText("code") == "import_running")
            #expect(try await eventually { try await server.send(.POST, path, body: line("b")).status == 200 })
            trickle.cancel()
            // The server may have closed the connection already.
            try? await client.close()
            #expect(try await server.store.list(KeyQuery()).map(\.name) == ["b"])
            await server.administration.refusals.close()
            let events = try await server.store.events(AuditQuery(limit: 10))
            #expect(events.contains { $0.code == "body_too_slow" && $0.outcome == AuditEvent.refused })
        }
    }

    @Test("a client's disconnect is not logged as an error", arguments: [true, false])
    func away(isReset: Bool) async throws {
        let log = LogLines()
        try await ControlServer.with(log: log) { server in
            let client = try await begin(server, line("cut") + "\n")
            try await Task.sleep(for: .milliseconds(200))
            if isReset {
                let options = try #require(client as? any SocketOptionProvider)
                try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            }
            try await client.close()
            #expect(try await eventually { try await server.send(.POST, path, body: line("b")).status == 200 })
            #expect(log.errors.isEmpty, "\(log.errors)")
        }
    }

    @Test("an incomplete body imports no key", arguments: [true, false])
    func cut(isChunked: Bool) async throws {
        try await ControlServer.with { server in
            let text = line("cut") + "\n"
            let framing = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: \(text.utf8.count + 1)"
            let size = String(text.utf8.count, radix: 16)
            let body = isChunked ? "\(size)\r\n\(text)\r\n" : text
            let head =
                "POST \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(ControlServer.adminKey)\r\n\(framing)\r\n\r\n"
            let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: server.port).get()
            try await client.writeAndFlush(ByteBuffer(string: head + body))
            try await Task.sleep(for: .milliseconds(200))
            try await client.close()
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await server.store.list(KeyQuery()).isEmpty)
            #expect(try await server.send(.POST, path, body: text).status == 200, "the next import runs")
        }
    }

    @Test("lines are split at their ends in chunks of any size")
    func splitting() {
        let text = "one\n\ntwo\r\nthree is too long\nfour"
        for size in 1...text.utf8.count {
            var splitter = LineSplitter(limit: 8)
            var lines: [String] = []
            let take = { (line: LineSplitter.Line) in
                switch line {
                case .text(let text): lines.append(String(buffer: text))
                case .tooLong: lines.append("!")
                }
            }
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                splitter.take(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]), take)
            }
            splitter.finish(take)
            #expect(lines == ["one", "", "two\r", "!", "four"], "pieces of \(size)")
        }
    }

    @Test("the export contains each key, one a line, with the list's filters and without secrets")
    func export() async throws {
        try await ControlServer.with { server in
            let path = "/admin/api/v1/auth-keys/export"
            let none = try await server.send(.GET, path)
            #expect(none.status == 200 && none.text.isEmpty)
            let text = (0..<2_500).map { line("n\($0)", $0 % 2 == 0 ? #","owner":"even""# : "") }.joined(
                separator: "\n")
            #expect(try await server.send(.POST, self.path, body: text).status == 200)
            let all = try await server.send(.GET, path)
            #expect(all.headers.first(name: "Content-Type") == "application/x-ndjson")
            let keys = try all.text.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(Set(keys.compactMap { $0["name"] as? String }).count == 2_500 && keys.count == 2_500)
            #expect(!all.text.contains("digest") && !all.text.contains("canary"))
            #expect(keys.first?["redacted_value"] as? String == "sk_gom_...")
            let even = try await server.send(.GET, path + "?owner=even")
            #expect(even.text.split(separator: "\n").count == 1_250)
            #expect(try await server.send(.GET, path + "?status=odd").status == 400)
            #expect(try await server.send(.GET, path, admin: nil).status == 401)
            server.store.isDown = true
            #expect(try await server.send(.GET, path).status == 503)
        }
    }
}

extension Array where Element: Sendable {
    /// The elements as an asynchronous sequence.
    fileprivate var async: AsyncStream<Element> {
        AsyncStream { continuation in
            for element in self { continuation.yield(element) }
            continuation.finish()
        }
    }
}
