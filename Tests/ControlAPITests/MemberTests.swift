import Foundation
import KeyAdministration
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Body members")
struct MemberTests {
    private static let keys = "/admin/api/v1/auth-keys"
    private static let admins = "/admin/api/v1/admin-keys"
    private static let token = #""token":"a-token-of-sixteen","prefix":"a-""#

    private func importErrors(_ answer: ControlServer.Answer) -> [[String: Any]] {
        answer.object["errors"] as? [[String: Any]] ?? []
    }

    private func expectRefusal(_ answer: ControlServer.Answer, param: String?, _ message: String) {
        #expect(answer.status == 400 && answer.errorText("code") == "validation_failed", "\(answer.text)")
        #expect(answer.errorText("param") == param, "\(answer.text)")
        #expect(answer.errorText("message")?.contains(message) == true, "\(answer.text)")
    }

    // MARK: - Unknown members

    @Test(
        "an unknown member of a new key is refused with the nearest known name",
        arguments: [
            (#""allowed_cidr":["10.0.0.0/8"]"#, "allowed_cidr", "did you mean 'allowed_cidrs'?"),
            (#""expires":"2099-01-01T00:00:00Z""#, "expires", "did you mean 'expires_at'?"),
            (#""allowed_method":["GET"]"#, "allowed_method", "did you mean 'allowed_methods'?"),
            (#""expiresAt":"2099-01-01T00:00:00Z""#, "expiresAt", "did you mean 'expires_at'?"),
            (#""Owner":"o""#, "Owner", "did you mean 'owner'?"),
            (#""cidrs":["10.0.0.0/8"]"#, "cidrs", "did you mean 'allowed_cidrs'?"),
            (#""\u0065xpires":"2099-01-01T00:00:00Z""#, "expires", "did you mean 'expires_at'?"),
            (#""ttl":60"#, "ttl", "the members are name, description, owner"),
            (#""id":"0190163d-8694-739b-8b6e-c1e1b9f4a2d3""#, "id", "unknown member 'id'"),
        ])
    func unknownOnCreate(_ member: String, _ param: String, _ message: String) async throws {
        try await ControlServer.with { server in
            expectRefusal(try await server.create("{\"name\":\"n\",\(member)}"), param: param, message)
            #expect(try await server.store.list(KeyQuery()).isEmpty)
        }
    }

    @Test("an unknown member of an import line is an error of that line")
    func unknownInImport() async throws {
        try await ControlServer.with { server in
            let lines = [
                #""expires":4000000000"#, #""allowed_cidr":["10.0.0.0/8"]"#, #""deactivated":true"#, #""value":"x""#,
            ].map { "{\"name\":\"n\",\(Self.token),\($0)}" }.joined(separator: "\n")
            let answer = try await server.send(.POST, Self.keys + "/import", body: lines)
            let errors = importErrors(answer)
            #expect(answer.status == 422 && errors.compactMap { $0["line"] as? Int } == [1, 2, 3, 4], "\(answer.text)")
            #expect(
                errors.compactMap { $0["param"] as? String } == ["expires", "allowed_cidr", "deactivated", "value"])
            #expect((errors.first?["message"] as? String)?.contains("did you mean 'expires_at'?") == true)
        }
    }

    @Test("every line of an export is an import line when its secret is added")
    func exportedLines() async throws {
        try await ControlServer.with { server in
            let limits =
                #""allowed_methods":["GET"],"allowed_paths":["/v1"],"allowed_cidrs":["10.0.0.0/8"],"plan":"gold","#
                + #""limits":[{"name":"day","limit":5,"per":"day"}],"credits":{"remaining":5},"self_rotation":true"#
            let made = try await server.create(
                #"{"name":"all","owner":"o","description":"d","scopes":["a"],"labels":{"a":"b"},"metadata":{"n":{"m":1}},"#
                    + #""expires_at":"2099-01-01T00:00:00Z","not_before":"2020-01-01T00:00:00Z","report_only":["scopes"],\#(limits)}"#
            )
            _ = try await server.create(#"{"name":"none"}"#)
            let id = try #require(made.object["id"] as? String)
            _ = try await server.send(.POST, "\(Self.keys)/\(id)/rotate", body: #"{"grace_seconds":600}"#)
            _ = try await server.create(#"{"name":"over"}"#)
            let over = try #require(try await server.send(.GET, "\(Self.keys)?q=over").objects.first?["id"] as? String)
            _ = try await server.send(.POST, "\(Self.keys)/\(over)/deactivate")
            let exported = try await server.send(.GET, Self.keys + "/export").text.split(separator: "\n")
            #expect(exported.count == 3 && exported.contains { $0.contains("previous_secret") })
            try await ControlServer.with { target in
                let lines = exported.enumerated().map { number, line in
                    line.dropLast() + ",\"token\":\"brought-\(number)-0123456789\",\"prefix\":\"brought-\"}"
                }
                let answer = try await target.send(.POST, Self.keys + "/import", body: lines.joined(separator: "\n"))
                #expect(answer.status == 200, "\(answer.text)")
                let again = try await target.send(.GET, Self.keys + "/export").text.split(separator: "\n")
                for (before, after) in zip(exported, again) {
                    var (before, after) = (try object(before), try object(after))
                    for name in ["redacted_value", "version", "previous_secret"] {
                        (before[name], after[name]) = (nil, nil)
                    }
                    #expect(before as NSDictionary == after as NSDictionary)
                }
            }
        }
    }

    private func object(_ text: Substring) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("an unknown member of any other body is refused with its name and location")
    func unknownElsewhere() async throws {
        try await ControlServer.with { server in
            let id = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            for (method, path, body, param, message) in [
                (HTTPMethod.PATCH, "\(Self.keys)/\(id)", #"{"expires":null}"#, "expires", "did you mean 'expires_at'?"),
                (.POST, "\(Self.keys)/\(id)/rotate", #"{"grace":0}"#, "grace", "did you mean 'grace_seconds'?"),
                (
                    .POST, Self.admins, #"{"name":"n","permissions":["verify"],"expire_at":"2100-01-01T00:00:00Z"}"#,
                    "expire_at", "did you mean 'expires_at'?"
                ),
                (.POST, "/v1/verify", #"{"key":"k","scope":["a"]}"#, "scope", "did you mean 'scopes'?"),
                (
                    .POST, "/v1/verify/batch", #"{"requests":[{"key":"k"},{"key":"k","methods":"GET"}]}"#,
                    "requests[1].methods", "did you mean 'method'?"
                ),
            ] {
                expectRefusal(try await server.send(method, path, body: body), param: param, message)
            }
            let unkey = try await server.send(.POST, "/v2/keys.createKey", body: #"{"apiId":"a","expire":1}"#)
            #expect(unkey.status == 400 && unkey.locations == ["body.expire"], "\(unkey.text)")
            #expect(unkey.text.contains("did you mean 'expires'?"))
            let foreign = try await server.send(.POST, "/v2/keys.createKey", body: #"{"apiId":"a","owner":"o"}"#)
            #expect(foreign.locations == ["body.owner"], "\(foreign.text)")
            let nested = try await server.send(
                .POST, "/v2/keys.verifyKey", body: #"{"key":"k","credits":{"cost":0,"amount":5}}"#)
            #expect(nested.locations == ["body.credits"], "\(nested.text)")
            #expect(nested.text.contains("unknown member 'amount' in 'credits'"), "\(nested.text)")
        }
    }

    @Test("an error repeats only a bounded and escaped part of an unknown name")
    func shownNames() async throws {
        try await ControlServer.with { server in
            for name in [
                String(repeating: "x", count: 60_000), "a\\u001b[31mb\\n",
                "e" + String(repeating: "\u{301}", count: 20_000),
                "\\u202eabc",
            ] {
                let answer = try await server.create("{\"name\":\"n\",\"\(name)\":1}")
                #expect(answer.status == 400)
                let param = try #require(answer.errorText("param"))
                let message = try #require(answer.errorText("message"))
                #expect(param.unicodeScalars.count <= 80 && message.unicodeScalars.count < 500)
                for text in [param, message] {
                    #expect(!text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E }, "\(text)")
                }
            }
        }
    }

    // MARK: - Repeated members

    @Test(
        "a repeated member is refused at every depth and in any spelling",
        arguments: [
            (#"{"name":"n","expires_at":"2099-01-01T00:00:00Z","expires_at":null}"#, "expires_at"),
            (#"{"name":"n","owner":"a","\u006fwner":"b"}"#, "owner"),
            (#"{"name":"n","metadata":{"a":1,"\u0061":2}}"#, "metadata"),
            (#"{"name":"n","metadata":{"list":[1,{"b":{"c":1,"d":{},"c":2}}]}}"#, "metadata"),
            (#"{"name":"n","labels":{"env":"a","env":"b"}}"#, "labels"),
            ("{\"name\":\"n\",\"metadata\":{\"\u{e9}\":1,\"e\u{301}\":2}}", "metadata"),
        ])
    func repeated(_ body: String, _ param: String) async throws {
        try await ControlServer.with { server in
            expectRefusal(try await server.create(body), param: param, "repeated")
            let line = body.dropLast() + "," + Self.token + "}"
            let imported = try await server.send(.POST, Self.keys + "/import", body: String(line))
            #expect(imported.status == 422 && importErrors(imported).first?["param"] as? String == param)
            #expect(try await server.store.list(KeyQuery()).isEmpty)
        }
    }

    @Test("the same name in different objects is accepted")
    func notRepeated() async throws {
        try await ControlServer.with { server in
            let body =
                #"{"name":"n","labels":{"name":"x"},"metadata":{"name":[{"name":1},{"name":2}],"b":{"name":"\"name\":{,"}}}"#
            let made = try await server.create(body)
            #expect(made.status == 201, "\(made.text)")
        }
    }

    @Test("a repeated member of any other body is refused with its name and location")
    func repeatedElsewhere() async throws {
        try await ControlServer.with { server in
            let id = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            for (method, path, body, param) in [
                (
                    HTTPMethod.PATCH, "\(Self.keys)/\(id)", #"{"expires_at":"2099-01-01T00:00:00Z","expires_at":null}"#,
                    "expires_at"
                ),
                (.POST, "\(Self.keys)/\(id)/rotate", #"{"grace_seconds":0,"grace_seconds":9}"#, "grace_seconds"),
                (.POST, Self.admins, #"{"name":"n","permissions":["verify"],"permissions":["admin"]}"#, "permissions"),
                (.POST, "/v1/verify", #"{"key":"k","scopes":["a"],"scopes":[]}"#, "scopes"),
                (
                    .POST, "/v1/verify/batch", #"{"requests":[{"key":"k"},{"key":"k","key":"l"}]}"#, "requests[1].key"
                ),
            ] {
                expectRefusal(try await server.send(method, path, body: body), param: param, "repeated")
            }
            let unkey = try await server.send(.POST, "/v2/keys.createKey", body: #"{"apiId":"a","meta":{"a":1,"a":2}}"#)
            #expect(unkey.status == 400 && unkey.locations == ["body.meta"], "\(unkey.text)")
        }
    }

    @Test("a body that is not UTF-8 is refused")
    func encodings() async throws {
        try await ControlServer.with { server in
            let body = #"{"name":"n","expires_at":"2099-01-01T00:00:00Z","expires_at":null}"#
            for encoding in [String.Encoding.utf16LittleEndian, .utf16BigEndian, .utf32LittleEndian, .utf16] {
                let bytes = try #require(body.data(using: encoding))
                let answer = try await server.send(.POST, Self.keys, bytes: ByteBuffer(bytes: bytes))
                #expect(answer.status == 400 && answer.errorText("code") == "invalid_json", "\(answer.text)")
            }
            #expect(try await server.store.list(KeyQuery()).isEmpty)
        }
    }

    @Test("a repeated member among thousands is found")
    func manyMembers() async throws {
        try await ControlServer.with { server in
            let members = (0..<2_500).map { "\"\(String($0, radix: 36))\":1" }.joined(separator: ",")
            expectRefusal(
                try await server.send(.POST, "/v1/verify", body: "{\(members),\"0\":1}"), param: "0", "repeated")
        }
    }

    // MARK: - Empty values

    @Test(
        "an empty value of a limit is refused on create, update and import; null is accepted",
        arguments: [
            ("expires_at", #""""#), ("not_before", #""""#), ("owner", #""""#), ("owner", #""  ""#),
            ("allowed_methods", "[]"), ("allowed_paths", "[]"), ("allowed_cidrs", "[]"), ("limits", "[]"),
        ])
    func emptyLimits(_ member: String, _ value: String) async throws {
        try await ControlServer.with { server in
            let empty = "{\"name\":\"n\",\"\(member)\":\(value)}"
            expectRefusal(try await server.create(empty), param: member, "\(member) must not be empty")
            let line = try await server.send(
                .POST, Self.keys + "/import", body: empty.dropLast() + "," + Self.token + "}")
            #expect(line.status == 422 && importErrors(line).first?["param"] as? String == member, "\(line.text)")
            #expect(try await server.store.list(KeyQuery()).isEmpty)
            let made = try await server.create("{\"name\":\"n\",\"\(member)\":null}")
            #expect(made.status == 201, "\(made.text)")
            let target = "\(Self.keys)/\(made.object["id"] ?? "")"
            expectRefusal(
                try await server.send(.PATCH, target, body: "{\"\(member)\":\(value)}"), param: member, "null")
            #expect(try await server.send(.PATCH, target, body: "{\"\(member)\":null}").status == 200)
        }
    }

    @Test("empty values that grant nothing are accepted")
    func harmlessEmptyValues() async throws {
        try await ControlServer.with { server in
            let made = try await server.create(
                #"{"name":"n","description":"","scopes":[],"labels":{},"metadata":{},"report_only":[]}"#)
            #expect(made.status == 201, "\(made.text)")
        }
    }

    @Test("an empty time in an import line is refused", arguments: ["created_at", "updated_at", "deactivated_at"])
    func emptyMoments(_ member: String) async throws {
        try await ControlServer.with { server in
            let line = "{\"name\":\"n\",\"\(member)\":\"\",\(Self.token)}"
            let answer = try await server.send(.POST, Self.keys + "/import", body: line)
            #expect(answer.status == 422 && importErrors(answer).first?["param"] as? String == member)
        }
    }

    @Test(
        "an empty value of a limit of an admin key is refused",
        arguments: [("owner", #""""#), ("owner", #"" ""#), ("expires_at", #""""#), ("permissions", "[]")])
    func emptyAdminLimits(_ member: String, _ value: String) async throws {
        try await ControlServer.with { server in
            let rest = member == "permissions" ? "" : #","permissions":["keys:read"]"#
            let answer = try await server.send(
                .POST, Self.admins, body: "{\"name\":\"n\"\(rest),\"\(member)\":\(value)}")
            #expect(answer.status == 400 && answer.errorText("param") == member, "\(answer.text)")
            guard member == "expires_at" else { return }
            let made = try await server.send(
                .POST, Self.admins, body: #"{"name":"n","permissions":["verify"],"expires_at":"2100-01-01T00:00:00Z"}"#)
            let patched = try await server.send(
                .PATCH, "\(Self.admins)/\(made.object["id"] ?? "")", body: #"{"expires_at":""}"#)
            expectRefusal(patched, param: "expires_at", "null")
        }
    }

    @Test("an empty externalId in Unkey's API is refused under that name")
    func emptyExternalID() async throws {
        try await ControlServer.with { server in
            let answer = try await server.unkey("keys.createKey", ["apiId": "a", "externalId": ""])
            #expect(answer.status == 400 && answer.locations == ["body.externalId"], "\(answer.text)")
        }
    }

    // MARK: - Query parameters

    @Test(
        "an unknown, repeated or empty query parameter is refused by name",
        arguments: [
            (HTTPMethod.GET, "?limits=1", "limits", "did you mean 'limit'?"),
            (.GET, "?owner=a&owner=b", "owner", "repeated"), (.GET, "/ID/explain?scope=", "scope", "must not be empty"),
            (.GET, "/ID/explain?scope=+", "scope", "must not be empty"),
            (.GET, "/ID/explain?method=&path=/", "method", "must not be empty"),
            (.GET, "/ID/explain?path", "path", "must not be empty"),
            (.POST, "/import?dry_run=", "dry_run", "must not be empty"),
            (.GET, "/ID?full=1", "full", "this route has no parameters"),
        ])
    func parameters(_ method: HTTPMethod, _ target: String, _ param: String, _ message: String) async throws {
        try await ControlServer.with { server in
            let id = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            let path = Self.keys + target.replacing("ID", with: id)
            expectRefusal(
                try await server.send(method, path, body: method == .POST ? "" : nil), param: param, message)
        }
    }

    @Test("verification routes refuse query parameters")
    func questionParameters() async throws {
        try await ControlServer.with { server in
            let value = try #require(try await server.create(#"{"name":"n"}"#).object["value"] as? String)
            let body = "{\"key\":\"\(value)\"}"
            for path in ["/v1/verify", "/v2/keys.verifyKey", "/v2/keys.whoami"] {
                #expect(try await server.send(.POST, path, body: body).status == 200)
                let answer = try await server.send(.POST, path + "?scopes=admin", body: body)
                #expect(answer.status == 400 && answer.text.contains("scopes"), "\(path): \(answer.text)")
            }
            let form = [("Content-Type", "application/x-www-form-urlencoded")]
            let valid = try await server.send(.POST, "/v1/introspect", body: "token=\(value)", headers: form)
            #expect(valid.object["active"] as? Bool == true, "\(valid.text)")
            let query = try await server.send(.POST, "/v1/introspect?scope=a", body: "token=\(value)", headers: form)
            #expect(query.status == 400 && query.object["error"] as? String == "invalid_request", "\(query.text)")
        }
    }
}
