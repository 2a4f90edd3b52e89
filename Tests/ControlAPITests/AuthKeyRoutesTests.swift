import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Key routes")
struct AuthKeyRoutesTests {
    private let path = "/admin/api/v1/auth-keys"

    @Test("create returns 201 with the key and its secret")
    func create() async throws {
        try await ControlServer.with { server in
            let answer = try await server.create(
                #"{"name":" build ","description":"d","expires_at":"2099-01-31T12:00:00+02:00","owner":"o","scopes":["a"]}"#
            )
            #expect(answer.status == 201)
            let key = answer.object
            let value = try #require(key["value"] as? String)
            #expect(value.wholeMatch(of: /kw_[0-9A-Za-z]{49}/) != nil)
            #expect(key["redacted_value"] as? String == "kw_...\(value.suffix(4))")
            #expect(key["name"] as? String == "build" && key["description"] as? String == "d")
            #expect(key["expires_at"] as? String == "2099-01-31T10:00:00Z")
            #expect(key["enabled"] as? Bool == true && key["active"] as? Bool == true)
            #expect(key["deactivated_at"] == nil && key["owner"] as? String == "o")
            #expect(answer.headers.first(name: "Cache-Control") == "no-store")
            #expect(answer.headers.first(name: "Content-Type") == "application/json")
            #expect(answer.headers.first(name: "Location") == "\(path)/\(try #require(key["id"] as? String))")
        }
    }

    @Test("empty members are omitted")
    func leftOut() async throws {
        try await ControlServer.with { server in
            let key = try await server.create(#"{"name":"n","description":"  ","expires_at":null,"owner":null}"#).object
            #expect(
                Set(key.keys) == [
                    "id", "name", "redacted_value", "enabled", "created_at", "updated_at", "active", "value", "version",
                ])
        }
    }

    @Test("list returns an array, newest first, without secrets or digests, also if it is empty")
    func list() async throws {
        try await ControlServer.with { server in
            let empty = try await server.send(.GET, path)
            #expect(empty.status == 200 && empty.text == "[]")
            var secrets: [String] = []
            for name in ["a", "b", "c"] {
                secrets.append(
                    try #require(try await server.create(#"{"name":"\#(name)"}"#).object["value"] as? String))
            }
            let answer = try await server.send(.GET, path)
            #expect(answer.objects.map { $0["name"] as? String } == ["c", "b", "a"])
            for secret in secrets {
                #expect(!answer.text.contains(secret))
                #expect(!answer.text.contains(secret.suffix(49)))
            }
            #expect(answer.objects.allSatisfy { $0["value"] == nil && $0["digest"] == nil })
        }
    }

    @Test("pages are linked, and contain each key once")
    func pages() async throws {
        try await ControlServer.with { server in
            for number in 0..<7 { _ = try await server.create(#"{"name":"n\#(number)","owner":"a b&c"}"#) }
            var names: [String] = []
            var next: String? = path + "?limit=3&owner=a%20b%26c"
            var pages = 0
            while let target = next {
                let answer = try await server.send(.GET, target)
                #expect(answer.status == 200)
                names += answer.objects.compactMap { $0["name"] as? String }
                pages += 1
                next = answer.headers.first(name: "Link").flatMap { link in
                    link.wholeMatch(of: /<(.+)>; rel="next"/).map { String($0.1) }
                }
            }
            #expect(names == (0..<7).reversed().map { "n\($0)" } && pages == 3)
        }
    }

    @Test("a plus sign in a query is a space")
    func plus() async throws {
        try await ControlServer.with { server in
            for name in ["build server", "build+server"] { _ = try await server.create(#"{"name":"\#(name)"}"#) }
            for (query, name) in [
                ("build+server", "build server"), ("build%20server", "build server"),
                ("build%2Bserver", "build+server"),
            ] {
                let found = try await server.send(.GET, "\(path)?q=\(query)").objects
                #expect(found.map { $0["name"] as? String } == [name], "\(query)")
            }
        }
    }

    @Test(
        "invalid list parameters are refused by name",
        arguments: [
            ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
            ("limit=-1", "limit"),
            ("limit=99999999999999999999", "limit"), ("cursor=abc", "cursor"), ("cursor=%00", "cursor"),
            ("status=on", "status"),
            ("q=%00", "q"), ("owner=a%00", "owner"), ("sort=", "sort"), ("sort=id", "sort"), ("sort=--name", "sort"),
            ("expiring_within=", "expiring_within"), ("expiring_within=0", "expiring_within"),
            ("expiring_within=-1d", "expiring_within"), ("unused_for=1y", "unused_for"),
            ("unused_for=99999999999", "unused_for"), ("scope=%00", "scope"), ("prefix=Bad", "prefix"),
            ("prefix=_a", "prefix"), ("last_four=abc", "last_four"), ("last_four=abcde", "last_four"),
            ("total=yes", "total"), ("total=", "total"), ("owner=", "owner"), ("label=", "label"), ("scope=", "scope"),
            ("q=", "q"), ("prefix=", "prefix"), ("last_four=", "last_four"), ("cursor=", "cursor"),
        ])
    func badParameters(query: String, param: String) async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.GET, "\(path)?\(query)")
            #expect(answer.status == 400 && answer.errorText("param") == param)
            #expect(answer.errorText("code") == "validation_failed")
        }
    }

    @Test("a list has the requested order on all pages, also with filters")
    func orders() async throws {
        try await ControlServer.with { server in
            for (name, days) in [("b", 2), ("a", 40), ("d", 3), ("c", 1)] {
                let end = Timestamp.now.advanced(by: .seconds(days * 86_400))
                let body =
                    #"{"name":"\#(name)","expires_at":"\#(end)","scopes":["s:\#(name)","all"],"prefix":"p_\#(name)"}"#
                #expect(try await server.create(body).status == 201)
            }
            func names(_ query: String) async throws -> String {
                var (names, next): (String, String?) = ("", "\(path)?limit=1&\(query)")
                while let target = next {
                    let answer = try await server.send(.GET, target)
                    #expect(answer.status == 200, "\(target): \(answer.text)")
                    names += answer.objects.compactMap { $0["name"] as? String }.joined()
                    next = answer.headers.first(name: "Link").flatMap { link in
                        link.wholeMatch(of: /<(.+)>; rel="next"/).map { String($0.1) }
                    }
                }
                return names
            }
            for (query, wanted) in [
                ("", "cdab"), ("sort=-created", "cdab"), ("sort=created", "badc"), ("sort=name", "abcd"),
                ("sort=-name", "dcba"), ("sort=expires", "cbda"), ("sort=-expires", "adbc"),
                ("sort=name&expiring_within=30d", "bcd"), ("sort=name&expiring_within=129600", "c"),
                ("sort=name&scope=all", "abcd"), ("scope=s:d", "d"), ("scope=nope", ""), ("prefix=p_a", "a"),
                ("unused_for=1h", ""), ("sort=last_used&status=active&scope=all&expiring_within=60h", "cb"),
                ("sort=-last_used&status=active&scope=all&expiring_within=60h", "bc"),
            ] {
                let found = try await names(query)
                // Keys that were never used are ordered by id, which is arbitrary within a millisecond.
                #expect(query.contains("last_used") ? found.sorted() == wanted.sorted() : found == wanted, "\(query)")
            }
            let key = try #require(try await server.send(.GET, path + "?sort=name").objects.first)
            let lastFour = try #require(key["redacted_value"] as? String).suffix(4)
            #expect(try await names("last_four=\(lastFour)") == "a")
        }
    }

    @Test("the total counts the keys on all pages, and only if requested")
    func totals() async throws {
        try await ControlServer.with { server in
            for number in 0..<5 { _ = try await server.create(#"{"name":"n\#(number)","owner":"o\#(number % 2)"}"#) }
            let answer = try await server.send(.GET, path + "?limit=2&owner=o0&total=true")
            #expect(answer.objects.count == 2 && answer.headers.first(name: "X-Total-Count") == "3")
            #expect(answer.headers.first(name: "X-Total-Count-Exact") == "true")
            let link = try #require(answer.headers.first(name: "Link"))
            #expect(!link.contains("total") && link.contains("owner=o0"))
            for query in ["?limit=2", "?total=false"] {
                #expect(try await server.send(.GET, path + query).headers.first(name: "X-Total-Count") == nil)
            }
        }
    }

    @Test("a cursor of another order is refused with the reason")
    func cursorOfAnotherOrder() async throws {
        try await ControlServer.with { server in
            for number in 0..<3 { _ = try await server.create(#"{"name":"n\#(number)"}"#) }
            let link = try #require(
                try await server.send(.GET, path + "?limit=1&sort=name").headers.first(name: "Link"))
            let cursor = try #require(link.firstMatch(of: /cursor=([^&>]+)/)).1
            #expect(try await server.send(.GET, "\(path)?cursor=\(cursor)&sort=name").status == 200)
            for sort in ["", "&sort=-name", "&sort=created"] {
                let answer = try await server.send(.GET, "\(path)?cursor=\(cursor)\(sort)")
                #expect(answer.status == 400 && answer.errorText("param") == "cursor")
                #expect(
                    answer.errorText("message")
                        == "cursor belongs to the order name: start without a cursor for another order")
            }
        }
    }

    @Test("a cursor that was tampered with is refused")
    func tamperedCursor() async throws {
        try await ControlServer.with { server in
            for number in 0..<3 { _ = try await server.create(#"{"name":"n\#(number)"}"#) }
            let link = try #require(try await server.send(.GET, path + "?limit=1").headers.first(name: "Link"))
            let cursor = try #require(link.firstMatch(of: /cursor=([^&>]+)/)).1
            for tampered in [cursor.dropLast(), cursor + "A", "B" + cursor.dropFirst(2)] {
                #expect(try await server.send(.GET, "\(path)?cursor=\(tampered)").status == 400)
            }
        }
    }

    @Test("deactivate returns 204, also when repeated, and the key is shown as deactivated")
    func deactivate() async throws {
        try await ControlServer.with { server in
            let id = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            let first = try await server.send(.POST, "\(path)/\(id)/deactivate")
            #expect(first.status == 204 && first.text.isEmpty)
            let shown = try await server.send(.GET, "\(path)/\(id)").object
            #expect(shown["active"] as? Bool == false && shown["enabled"] as? Bool == true)
            let at = try #require(shown["deactivated_at"] as? String)
            #expect(try await server.send(.POST, "\(path)/\(id)/deactivate").status == 204)
            #expect(try await server.send(.GET, "\(path)/\(id)").object["deactivated_at"] as? String == at)
        }
    }

    @Test(
        "an unknown or invalid id gets 404 with the contract's message",
        arguments: ["0190163d-8694-739b-8b6e-c1e1b9f4a2d3", "none", "a%00b", "%2e%2e"])
    func unknown(id: String) async throws {
        try await ControlServer.with { server in
            for answer in [
                try await server.send(.POST, "\(path)/\(id)/deactivate"), try await server.send(.GET, "\(path)/\(id)"),
            ] {
                #expect(answer.status == 404 && answer.errorText("type") == "not_found_error")
                #expect(answer.errorText("code") == "key_not_found")
                if id.allSatisfy({ $0 != "%" }) { #expect(answer.errorText("message") == "auth key not found: \(id)") }
            }
        }
    }

    @Test(
        "invalid bodies get 400 with the contract's message and the member",
        arguments: [
            ("", "invalid request body: it is not valid JSON", nil),
            ("{", "invalid request body: it is not valid JSON", nil),
            ("null", "invalid request body: it must be a JSON object", nil),
            ("[]", "invalid request body: it must be a JSON object", nil),
            ("\"name\"", "invalid request body: it must be a JSON object", nil),
            (#"{"name":1}"#, "invalid request body: name must be a string", "name"),
            (#"{"name":["a"]}"#, "invalid request body: name must be a string", "name"),
            (#"{"name":"n","description":{}}"#, "invalid request body: description must be a string", "description"),
            (#"{"name":"n","expires_at":12}"#, "invalid request body: expires_at must be a string", "expires_at"),
            (#"{"name":"n","scopes":"a"}"#, "invalid request body: scopes must be an array", "scopes"),
            (#"{"name":"n","scopes":[1]}"#, "invalid request body: scopes must be a string", "scopes"),
            ("{}", "name is required", "name"), (#"{"name":"  "}"#, "name is required", "name"),
            (#"{"name":null}"#, "name is required", "name"),
            (#"{"name":"a\u0000b"}"#, "name must not contain control characters", "name"),
            (#"{"name":"n","expires_at":"2020-01-01T00:00:00Z"}"#, "expires_at must be in the future", "expires_at"),
            (#"{"name":"n","expires_at":"2099-01-01T00:00:00"}"#, nil, "expires_at"),
            (#"{"name":"n","expires_at":"10000-01-01T00:00:00Z"}"#, nil, "expires_at"),
            (#"{"name":"n","expires_at":"2099-02-30T00:00:00Z"}"#, nil, "expires_at"),
            (#"{"name":"n","prefix":"Bad"}"#, nil, "prefix"),
        ] as [(String, String?, String?)])
    func badBodies(body: String, message: String?, param: String?) async throws {
        try await ControlServer.with { server in
            let answer = try await server.create(body)
            #expect(answer.status == 400 && answer.errorText("type") == "invalid_request_error")
            if let message { #expect(answer.errorText("message") == message) }
            #expect(answer.errorText("param") == param)
            #expect(try await server.store.list(KeyQuery()).isEmpty)
        }
    }

    @Test("a name of 10,000 characters is refused, and a body beyond 64 KiB gets 413 and closes the connection")
    func sizes() async throws {
        try await ControlServer.with { server in
            let long = try await server.create(#"{"name":"\#(String(repeating: "n", count: 10_000))"}"#)
            #expect(long.status == 400 && long.errorText("message") == "name must be at most 200 characters")
            let large = try await server.create(#"{"name":"\#(String(repeating: "n", count: 70_000))"}"#)
            #expect(large.status == 413 && large.errorText("type") == "invalid_request_error")
            #expect(large.headers.first(name: "Connection") == "close")
            #expect(try await server.create(#"{"name":"after"}"#).status == 201)
        }
    }

    @Test("an idempotency key creates one key, and a repetition names its id and location")
    func idempotency() async throws {
        try await ControlServer.with { server in
            let header = [("Idempotency-Key", "order-17")]
            let id = try #require(try await server.create(#"{"name":"n"}"#, headers: header).object["id"] as? String)
            let again = try await server.create(#"{"name":"n"}"#, headers: header)
            #expect(again.status == 409 && again.errorText("code") == "idempotency_replayed")
            #expect(try #require(again.errorText("message")).contains(id))
            #expect(again.headers.first(name: "Location") == "\(path)/\(id)")
            let other = try await server.create(#"{"name":"m"}"#, headers: header)
            #expect(other.status == 409 && other.errorText("code") == "idempotency_key_reused")
            #expect(try await server.create(#"{"name":"n"}"#, headers: [("Idempotency-Key", "a b")]).status == 400)
        }
    }

    @Test("an unavailable database gets 503 feature_unavailable with Retry-After")
    func databaseAway() async throws {
        try await ControlServer.with { server in
            server.store.isDown = true
            for answer in [
                try await server.send(.GET, path), try await server.create(#"{"name":"n"}"#),
                try await server.send(.POST, "\(path)/0190163d-8694-739b-8b6e-c1e1b9f4a2d3/deactivate"),
            ] {
                #expect(answer.status == 503 && answer.errorText("code") == "feature_unavailable")
                #expect(answer.errorText("message") == "auth keys feature is unavailable")
                #expect(answer.errorText("type") == "invalid_request_error")
                #expect(answer.headers.first(name: "Retry-After") == "1")
            }
        }
    }
}
