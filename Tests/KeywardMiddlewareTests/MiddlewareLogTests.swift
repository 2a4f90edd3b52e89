import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddleware
import KeywardMiddlewareTesting
import RequestLog
import TestSupport
import Testing

@Suite("Lines of the middleware")
struct MiddlewareLogTests {
    private struct Failure: Error {}

    @Test("each request leaves one line with the status of its response, and the reason of a refusal")
    func lines() async throws {
        let keyward = TestKeyward()
        let log = RequestLog()
        let requests = keyward.requests.recording(to: SurfaceRecorder(log: log, surface: .middleware))
        let needed = try #require(ScopeRequirement(["documents:read"]))
        let router = Router(context: AppContext.self)
        let group = router.group("v1").add(middleware: KeyVerificationMiddleware(requests, isOptional: true))
        group.get("any") { _, _ in HTTPResponse.Status.accepted }
        group.get("fails") { _, _ -> String in throw Failure() }
        group.get("gone") { _, _ -> String in throw HTTPError(.gone) }
        group.group("documents").add(middleware: KeyVerificationMiddleware(requests, scopes: needed)).get { _, _ in "d"
        }
        let key = try keyward.issue(owner: "acme")
        let bearer: HTTPFields = [.authorization: "Bearer \(key.token)", .userAgent: "curl/8"]
        try await Application(responder: router.buildResponder(), logger: silent).test(.router) { client in
            for (path, headers) in [
                ("any", bearer), ("any", [:]), ("any", [.authorization: "Bearer junk"]), ("fails", bearer),
                ("gone", bearer), ("documents", bearer), ("documents", [:]),
            ] as [(String, HTTPFields)] {
                try await client.execute(uri: "/v1/\(path)?q=1", method: .get, headers: headers) { _ in }
            }
        }
        log.close()
        let lines = try #require(log.rows).takeLines()
        #expect(lines.map { Int($0.status) } == [202, 202, 401, 500, 410, 403, 401])
        let codes: [String?] = [nil, nil, "key_malformed", nil, nil, "scope_missing", "key_missing"]
        #expect(lines.map(\.code) == codes)
        let keys: [KeyID?] = [key.id, nil, nil, key.id, key.id, key.id, nil]
        #expect(lines.map(\.keyID) == keys)
        #expect(lines.allSatisfy { $0.surface == .middleware && $0.method == "GET" && $0.query == "" })
        #expect(lines[0].path == "/v1/any" && lines[0].owner == "acme" && lines[0].agent == "curl")
        #expect(lines[5].path == "/v1/documents" && lines[5].outcome == .denied && lines[5].owner == "acme")
    }
}
