import AsyncHTTPClient
import AuthKeys
import ControlBodies
import Foundation
import HTTPCredentials
import KeyAdministration
import NIOCore
import NIOHTTP1
import RequestLog
import Synchronization
import TestSupport
import Testing

@testable import ControlAPI

extension ControlServer {
    static let requests = "/admin/api/v1/requests"

    /// Adds a line of a request to the log.
    @discardableResult
    func addLine(
        at: Timestamp = .now, owner: String? = nil, key: KeyID? = nil,
        _ change: (inout LoggedRequest) -> Void = { _ in }
    ) -> LoggedRequest {
        var random = SystemRandomNumberGenerator()
        var line = LoggedRequest(
            at: at, id: RequestID(at: at, random: (random.next(), random.next())), method: "GET", path: "/v1/reports/7",
            status: 200, outcome: .allowed, surface: .gateway)
        line.owner = owner
        line.keyID = key
        change(&line)
        log.add([line])
        return line
    }

    /// Reads a tail until its text suffices, and closes the connection.
    func tail(
        _ query: String = "", after position: String? = nil, admin: String = adminKey,
        until suffices: (String) async throws -> Bool = { $0.hasSuffix("\n\n") }
    ) async throws -> (status: Int, text: String, isComplete: Bool) {
        var request = HTTPClientRequest(url: url + Self.requests + "/tail" + query)
        request.headers.add(name: "Authorization", value: "Bearer \(admin)")
        if let position { request.headers.add(name: "Last-Event-ID", value: position) }
        // The shared client has at most eight connections to a server.
        let client = HTTPClient()
        do {
            let result = try await Self.read(request, with: client, until: suffices)
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private static func read(
        _ request: HTTPClientRequest, with client: HTTPClient, until suffices: (String) async throws -> Bool
    ) async throws -> (status: Int, text: String, isComplete: Bool) {
        let response = try await client.execute(request, timeout: .seconds(60))
        var text = ""
        for try await chunk in response.body {
            text += String(buffer: chunk)
            if response.status == .ok, try await suffices(text) {
                return (Int(response.status.code), text, false)
            }
        }
        return (Int(response.status.code), text, true)
    }
}

/// The tails that have begun.
private final class OpenTails: Sendable {
    private let numbers = Mutex<Set<Int>>([])

    var count: Int { numbers.withLock { $0.count } }

    func insert(_ number: Int) {
        numbers.withLock { _ = $0.insert(number) }
    }
}

@Suite("Routes of the request log", .timeLimit(.minutes(3))) struct RequestRouteTests {
    private static let path = ControlServer.requests

    @Test("a line has the members of the API, and null for those without a value") func shape() async throws {
        try await ControlServer.with { server in
            let key = KeyID.generate()
            let at = try Timestamp(rfc3339: "2026-11-24T13:19:59.428Z")
            let full = server.addLine(at: at, owner: "partners", key: key) { line in
                (line.keyName, line.status, line.code, line.outcome) = (
                    "partner Ostwind", 429, "rate_limited", .limited
                )
                (line.microseconds, line.upstreamMicroseconds, line.bytesIn, line.bytesOut) = (310, 1_250, 5, 212)
                (line.address, line.agent, line.upstream) = ("192.0.2.7", "curl", "http://up")
                (line.instance, line.flags, line.weight, line.query) = ("gw-3", [.http2, .cut], 100, "a=…")
            }
            let bare = server.addLine(at: at.advanced(by: .seconds(-1))) { $0.outcome = nil }
            let answer = try await server.send(.GET, Self.path)
            #expect(answer.status == 200 && answer.headers.first(name: "Cache-Control") == "no-store")
            #expect(answer.headers.first(name: "Link") == nil)
            #expect(answer.headers.first(name: "X-Keyward-Searched-To") == nil)
            let expected = """
                {"at":"2026-11-24T13:19:59.428Z","auth_key_id":"\(key)","bytes_in":5,"bytes_out":212,"client_ip":"192.0.2.7",\
                "code":"rate_limited","duration_ms":0.31,"flags":["http2","cut"],"instance":"gw-3","key_name":"partner Ostwind",\
                "method":"GET","outcome":"limited","owner":"partners","path":"/v1/reports/7","query":"a=…",\
                "request_id":"\(full.id)","status":429,"surface":"gateway","upstream":"http://up","upstream_ms":1.25,\
                "user_agent":"curl","weight":100}
                """
            #expect(answer.text.hasPrefix("[\(expected),"), "\(answer.text)")
            let second = try #require(answer.objects.last)
            #expect(Set(second.keys) == Set(RequestJSON.CodingKeys.allCases.map(\.stringValue)))
            #expect(second["request_id"] as? String == bare.id.description && second["outcome"] is NSNull)
            let one = try await server.send(.GET, "\(Self.path)/\(full.id)")
            #expect(one.text == expected, "\(one.text)")
        }
    }

    @Test("pages are linked, with the same filters and bounds") func pages() async throws {
        try await ControlServer.with { server in
            let lines = (0..<25).map { number in
                server.addLine(at: .now.advanced(by: .seconds(-number))) { $0.status = number % 5 == 0 ? 500 : 200 }
            }
            var target = Self.path + "?limit=4&status=2xx&since=1h&path=%2Fv1&owner=%2A"
            #expect(try await server.send(.GET, target).errorText("param") == "owner")
            target = Self.path + "?limit=4&status=2xx&since=1h&path=%2Fv1"
            var found: [String] = []
            var links: [String] = []
            while true {
                let answer = try await server.send(.GET, target)
                #expect(answer.status == 200, "\(answer.text)")
                found += answer.objects.compactMap { $0["request_id"] as? String }
                guard let link = answer.headers.first(name: "Link") else { break }
                #expect(link.hasPrefix("<\(Self.path)?limit=4&cursor=") && link.hasSuffix(">; rel=\"next\""))
                target = String(link.dropFirst().prefix { $0 != ">" })
                links.append(try #require(target.firstMatch(of: /since=([^&]*)/)).1.description)
            }
            #expect(found == lines.filter { $0.status == 200 }.map(\.id.description))
            #expect(links.count == 4 && Set(links).count == 1 && links[0].contains("T"))
        }
    }

    @Test("a search that ended early links to its continuation and states how far it got") func early() async throws {
        try await ControlServer.with { server in
            let moment = try Timestamp(rfc3339: "2026-11-24T13:00:00Z")
            server.log.setPage(SearchPage(lines: [], next: RequestCursor(before: moment), searchedTo: moment))
            let answer = try await server.send(.GET, Self.path + "?method=get")
            #expect(answer.objects.isEmpty)
            #expect(answer.headers.first(name: "X-Keyward-Searched-To") == "2026-11-24T13:00:00Z")
            #expect(answer.headers.first(name: "Link")?.contains("method=get") == true)
        }
    }

    @Test(
        "an invalid parameter is refused by name, with what is accepted",
        arguments: [
            ("status=20", "status"), ("status=6xx", "status"), ("outcome=ok", "outcome"), ("surface=web", "surface"),
            ("key_id=1", "key_id"), ("request_id=0190163d-8694-739b-8b6e-c1e1b9f4a2d3", "request_id"),
            ("code=Key", "code"), ("code=a%00", "code"), ("method=G%20", "method"), ("method=%C3%9F", "method"),
            ("path=v1", "path"), ("path=%2Fa%20b", "path"), ("path=%2F%C3%A4", "path"),
            ("path=%2F" + String(repeating: "a", count: 512), "path"), ("address=192.0.2", "address"),
            ("address=192.0.2.7%2F24", "address"), ("min_ms=0", "min_ms"), ("min_ms=1.5", "min_ms"),
            ("min_ms=86400001", "min_ms"), ("min_ms=99999999999999999999", "min_ms"), ("since=yesterday", "since"),
            ("until=2026-13-01T00:00:00Z", "until"), ("since=15", "since"), ("until=0", "until"), ("since=0s", "since"),
            ("limit=1001", "limit"),
            ("limit=0", "limit"),
            ("cursor=abc", "cursor"), ("owner=%2F**", "owner"), ("instance=", "instance"), ("stauts=200", "stauts"),
            ("offset=1", "offset"), ("status=200&status=404", "status"),
        ])
    func invalid(query: String, param: String) async throws {
        try await ControlServer.with { server in
            for route in ["", "/export"] where route.isEmpty || param != "limit" {
                let answer = try await server.send(.GET, "\(Self.path)\(route)?\(query)")
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(answer.text)")
                #expect(answer.errorText("code") == "validation_failed")
                #expect(answer.errorText("message")?.contains(param) == true, "\(answer.text)")
            }
        }
    }

    @Test("an unknown parameter is refused with the nearest name; a tail has no bounds of time")
    func unknown() async throws {
        try await ControlServer.with { server in
            let near = try await server.send(.GET, Self.path + "?stauts=200")
            #expect(near.errorText("message")?.hasSuffix("did you mean 'status'?") == true, "\(near.text)")
            for query in ["since=1h", "until=1h", "request_id=" + String(repeating: "0", count: 32), "limit=1"] {
                #expect(try await server.send(.GET, "\(Self.path)/tail?\(query)").status == 400)
            }
            let bad = try await server.send(.GET, Self.path + "/tail", headers: [("Last-Event-ID", "abc")])
            #expect(bad.status == 400 && bad.errorText("param") == "Last-Event-ID", "\(bad.text)")
            #expect(try await server.send(.GET, Self.path + "?since=1ms&until=2026-01-01T00:00:00+02:00").status == 200)
        }
    }

    @Test("reading needs the permission requests:read, and refused attempts are in the trail")
    func permission() async throws {
        try await ControlServer.with { server in
            let other = try await server.adminKey("\"permissions\":[\"keys:read\",\"audit:read\",\"admin\"]")
            let reader = try await server.adminKey("\"permissions\":[\"requests:read\"]")
            let line = server.addLine()
            for route in ["", "/export", "/\(line.id)"] {
                let refused = try await server.send(.GET, Self.path + route, admin: other)
                #expect(refused.status == 403 && refused.errorText("code") == "permission_missing")
                #expect(refused.errorText("message")?.contains("requests:read") == true)
                #expect(try await server.send(.GET, Self.path + route, admin: reader).status == 200)
                #expect(try await server.send(.GET, Self.path + route, admin: nil).status == 401)
            }
            #expect(try await server.tail(admin: other).status == 403)
            #expect(try await server.tail(admin: reader).status == 200)
            let refused = await eventually {
                let events = try? await server.store.events(AuditQuery(refused: true))
                return (events ?? []).contains { $0.action == "request.read" && $0.code == "permission_missing" }
                    && (events ?? []).contains { $0.action == "request.export" && $0.code == "permission_missing" }
            }
            #expect(refused)
            // Searches are not in the trail, exports are.
            let done = try await server.store.events(AuditQuery(refused: false))
            #expect(done.filter { $0.action.hasPrefix("request.") }.map(\.action) == ["request.export"])
        }
    }

    @Test("an unknown request gets 404 request_not_found") func notFound() async throws {
        try await ControlServer.with { server in
            for id in [String(repeating: "0", count: 32), "x", KeyID.generate().description] {
                let answer = try await server.send(.GET, "\(Self.path)/\(id)")
                #expect(answer.status == 404 && answer.errorText("code") == "request_not_found", "\(answer.text)")
                #expect(answer.errorText("message") == "request not found: \(id)")
            }
        }
    }

    @Test("while the database is unavailable, all routes get 503") func unavailable() async throws {
        try await ControlServer.with { server in
            server.log.setDown(true)
            for route in ["", "/export", "/" + String(repeating: "0", count: 32)] {
                let answer = try await server.send(.GET, Self.path + route)
                #expect(answer.status == 503 && answer.errorText("code") == "feature_unavailable", "\(answer.text)")
            }
        }
    }

    @Test("a search beyond the limit gets 429 with Retry-After") func busy() async throws {
        try await ControlServer.with { server in
            server.log.setHeld(true)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<RequestSearches.searchLimit {
                    group.addTask { try await server.send(.GET, Self.path).status }
                }
                let isFull = await eventually { server.log.waiting == RequestSearches.searchLimit }
                #expect(isFull)
                for route in ["", "/" + String(repeating: "0", count: 32)] {
                    let answer = try await server.send(.GET, Self.path + route)
                    #expect(answer.status == 429 && answer.errorText("type") == "rate_limit_error", "\(answer.text)")
                    #expect(answer.errorText("code") == "too_many_searches")
                    #expect(answer.headers.first(name: "Retry-After") == "1")
                }
                server.log.setHeld(false)
                for try await status in group { #expect(status == 200) }
            }
            #expect(try await server.send(.GET, Self.path).status == 200)
        }
    }

    @Test("an export streams all lines, newest first") func export() async throws {
        try await ControlServer.with { server in
            let now = Timestamp.now
            let lines = (0..<2_345).map { number in server.addLine(at: now.advanced(by: .milliseconds(-number))) }
            let answer = try await server.send(.GET, Self.path + "/export?method=GET")
            #expect(answer.headers.first(name: "Content-Type") == "application/x-ndjson")
            let ids = answer.text.split(separator: "\n").map { text in
                (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])?["request_id"] as? String
            }
            #expect(ids == lines.map(\.id.description))
            // HEAD starts no export that would occupy a place.
            for _ in 0..<5 { #expect(try await server.send(.HEAD, Self.path + "/export").status == 200) }
        }
    }

    @Test("a tail sends lines as they arrive, and a reconnection continues behind them") func tail() async throws {
        try await ControlServer.with { server in
            server.addLine(at: .now.advanced(by: .seconds(-40)))
            let early = server.addLine(at: .now.advanced(by: .seconds(-3)))
            var added: [LoggedRequest] = []
            let first = try await server.tail("?status=200") { text in
                if added.isEmpty {
                    // The stream has begun, so these are new.
                    #expect(text.hasPrefix("retry: 2000\n: alive\nid: ") && text.hasSuffix("\n\n"), "\(text)")
                    added = [server.addLine(), server.addLine(at: .now.advanced(by: .seconds(-10)))]
                    server.addLine { $0.status = 500 }
                }
                return added.allSatisfy { text.contains($0.id.description) }
            }
            #expect(first.status == 200 && !first.text.contains(early.id.description), "\(first.text)")
            let events = first.text.matches(of: /id: (\S+)\ndata: (\{.*\})\n\n/)
            #expect(events.count == 2)
            let last = try #require(events.last)
            let shown = try JSONDecoder().decode(RequestJSON.self, from: Data(last.2.utf8))
            #expect(shown.requestID == added[0].id.description)

            let missed = server.addLine()
            let second = try await server.tail("?status=200", after: String(last.1))
            #expect(second.text.contains(missed.id.description), "\(second.text)")
            // May have been written after the last event, for all that the server knows.
            #expect(second.text.contains(early.id.description))
            #expect(!second.text.contains(added[0].id.description))
        }
    }

    @Test("a tail beyond the limit gets 429, and one that ends gives its place to another") func tails() async throws {
        try await ControlServer.with { server in
            // HEAD occupies no place.
            for _ in 0..<20 { #expect(try await server.send(.HEAD, Self.path + "/tail").status == 200) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                let open = OpenTails()
                let share = RequestSearches.tailLimit / 2
                let other = try await server.adminKey("\"permissions\":[\"requests:read\"]")
                for number in 0..<RequestSearches.tailLimit {
                    group.addTask {
                        _ = try await server.tail(admin: number < share ? ControlServer.adminKey : other) { text in
                            open.insert(number)
                            return text.contains("stop")
                        }
                    }
                }
                let areOpen = await eventually { open.count == RequestSearches.tailLimit }
                #expect(areOpen)
                let third = try await server.adminKey("\"permissions\":[\"requests:read\"]")
                for (admin, text) in [(other, "its share of the tails"), (third, "too many tails")] {
                    let refused = try await server.tail(admin: admin)
                    #expect(refused.status == 429 && refused.text.contains("too_many_tails"), "\(refused.text)")
                    #expect(refused.text.contains(text), "\(refused.text)")
                }
                server.addLine { $0.path = "/stop" }
                try await group.waitForAll()
            }
            let isFree = try await eventually { try await server.tail().status == 200 }
            #expect(isFree)
        }
    }

    @Test("a tail ends when its admin key is revoked") func revocation() async throws {
        try await ControlServer.with { server in
            let made = try await server.send(
                .POST, "/admin/api/v1/admin-keys", body: "{\"name\":\"n\",\"permissions\":[\"requests:read\"]}")
            let (id, key) = (made.object["id"] as? String ?? "", made.object["value"] as? String ?? "")
            var isRevoked = false
            // The response has begun, so the server can only cut the connection.
            await #expect(throws: (any Error).self) {
                _ = try await server.tail(admin: key) { _ in
                    if !isRevoked {
                        isRevoked = true
                        let answer = try await server.send(.POST, "/admin/api/v1/admin-keys/\(id)/deactivate")
                        #expect(answer.status == 204)
                    }
                    return false
                }
            }
            #expect(isRevoked)
            #expect(try await server.tail(admin: key).status == 401)
        }
    }
}
