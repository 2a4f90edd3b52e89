import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Proxy examples", .timeLimit(.minutes(10)))
struct ExampleTests {
    private struct Stage {
        let keyward: KeywardProcess
        let control: Int
        let api: ReportingAPI
        let keys: [Case.Key: (id: String, value: String)]
    }

    private static func withStage(_ act: (Stage) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        let api = try await ReportingAPI.start()
        let keyward = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--require", Case.rule])
        var keys: [Case.Key: (id: String, value: String)] = [:]
        for key in Case.Key.allCases { keys[key] = try await keyward.create("Tëam \(key)", key.members) }
        let control = try #require(URL(string: keyward.control)?.port)
        do {
            try await act(Stage(keyward: keyward, control: control, api: api, keys: keys))
        } catch {
            await keyward.crash()
            throw error
        }
        _ = try await keyward.stop()
        try await api.stop()
        try await database.drop()
    }

    @Test("only requests with valid keys reach the API, with their identity", arguments: ProxyKind.allCases)
    func table(_ kind: ProxyKind) async throws {
        try await Self.withStage { stage in
            try await ProxyServer.with(kind, keyward: stage.control, api: stage.api.port) { proxy in
                let deactivated = try #require(stage.keys[.deactivated])
                let bearer = [("Authorization", "Bearer \(deactivated.value)")]
                #expect(try await Exchange.send(.GET, "/", bearer, to: proxy.port).status == 200)
                let gone = try await stage.keyward.admin(.POST, "/\(deactivated.id)/deactivate")
                #expect(gone.status == 204)
                for each in Case.all { try await check(each, kind, proxy, stage) }

                let key = try #require(stage.keys[.bare])
                let open = [("X-API-Key", key.value)]
                let spoken = try await Exchange.upgrade("/socket", open, to: proxy.port)
                #expect(
                    spoken.hasPrefix("HTTP/1.1 101") && spoken.hasSuffix("\r\n\r\nhello there"), "\(kind): \(spoken)")
                #expect(spoken.lowercased().contains("x-seen: \(key.id)\r\n"), "\(kind): \(spoken)")
                let silent = try await Exchange.upgrade("/socket", [("Connection", "close")], to: proxy.port)
                #expect(silent.hasPrefix("HTTP/1.1 401"), "\(kind): \(silent)")

                _ = try await stage.keyward.stop()
                for headers in [open, []] {
                    let answer = try await Exchange.send(.GET, "/", headers, to: proxy.port)
                    #expect((500...599).contains(answer.status), "\(kind), without Keyward: \(answer.status)")
                    #expect(ReportingAPI.Report(answer.text) == nil)
                }
            }
        }
    }

    /// Envoy is left out: it appends the client's path and query, so that only Keyward's setting can require scopes.
    @Test("the address of the check can require scopes", arguments: ProxyKind.allCases.filter { $0 != .envoy })
    func scope(_ kind: ProxyKind) async throws {
        try await Self.withStage { stage in
            let check = "/v1/forward-auth?scope=documents:read"
            try await ProxyServer.with(kind, keyward: stage.control, api: stage.api.port, check: check) { proxy in
                for (key, status) in [(Case.Key.full, 200), (.bare, 403)] {
                    let headers = [("X-API-Key", try #require(stage.keys[key]?.value))]
                    let answer = try await Exchange.send(.GET, "/?scope=x", headers, to: proxy.port)
                    #expect(answer.status == status, "\(kind): \(answer.text)")
                    #expect(answer.headers["WWW-Authenticate"].count == (status == 403 ? 1 : 0))
                }
            }
        }
    }

    private func check(_ each: Case, _ kind: ProxyKind, _ proxy: ProxyServer, _ stage: Stage) async throws {
        var headers = each.headers
        if let key = each.key, let value = stage.keys[key]?.value {
            headers.append((each.field, each.field == "Authorization" ? "Bearer \(value)" : value))
        }
        let answer = try await Exchange.send(
            each.method, each.target, headers, body: each.body, to: proxy.port, from: each.source)
        let report = ReportingAPI.Report(answer.text)
        let what: Comment = "\(kind): \(each.method) \(each.target): \(answer.status) \(answer.text)"
        switch each.expected {
        case .passed(let key):
            let report = try #require(report, what)
            #expect(report.method == each.method.rawValue && report.path == each.target, what)
            #expect(report.bodyBytes == each.body.utf8.count, what)
            #expect(!report.fields.joined().contains { $0.contains("evil") }, what)
            identity(key.map { ($0, stage.keys[$0]?.id ?? "") }, in: report, what)
        case .refused(let status, let code):
            #expect(report == nil && answer.status == status, what)
            if each.method != .HEAD {
                #expect(answer.code == code, what)
                #expect(answer.headers["Content-Type"] == ["application/json"], what)
            }
            let challenges = answer.headers["WWW-Authenticate"]
            let isChallenge = status == 401 || code == "scope_missing"
            #expect(challenges.count == (isChallenge ? 1 : 0), what)
            #expect(challenges.allSatisfy { $0.hasPrefix("Bearer realm=\"keyward\"") }, what)
        case .refusedOrHarmless:
            guard let report else {
                #expect((400...499).contains(answer.status), what)
                return
            }
            #expect(report.path == "/reports" || report.path.hasPrefix("/reports/"), what)
            // %23 has one interpretation: a number sign in a segment.
            #expect(!report.path.replacing("%23", with: "").contains(/%|\.\.|\/\/|;|\\|#/), what)
        }
    }

    /// Expects that the API received the identity of the key, no other field that reads like an identity, and no
    /// credentials.
    private func identity(_ key: (Case.Key, id: String)?, in report: ReportingAPI.Report, _ what: Comment) {
        for (field, expected) in [
            ("key-id", key?.id), ("key-name", key.map { "T%C3%ABam \($0.0)" }),
            ("owner", key?.0 == .full ? "team a" : nil), ("scopes", key?.0 == .full ? "documents:*" : nil),
        ] {
            let described = report.values(like: "x-keyward-\(field)").filter { !$0.isEmpty }
            #expect(described == (expected.map { [$0] } ?? []), what)
        }
        for name in ["authorization", "x-api-key"] { #expect(report.values(like: name).isEmpty, what) }
    }
}
