import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddlewareTesting
import Testing

@Suite("Middleware of an app's routes")
struct RouteMiddlewareTests {
    private func run<Context: KeyedRequestContext>(
        _ keyward: TestKeyward, as context: Context.Type = AppContext.self,
        _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws where Context.Source == ApplicationRequestContextSource {
        let router = Router(context: context)
        router.group("open").add(middleware: keyward.optionalKeys())
            .get { _, context in context.principal?.name ?? "nobody" }
        router.group("any").add(middleware: keyward.keys())
            .get { _, context in try context.requirePrincipal().name }
            .on("", method: .options) { _, context in context.principal?.name ?? "nobody" }
        router.group("documents").add(middleware: keyward.keys(scopes: "documents:read"))
            .get { _, context in context.principal?.owner ?? "-" }
            .get("**") { _, _ in "below" }
        router.group("documents").add(middleware: keyward.keys(scopes: "documents:read", "documents:write"))
            .post { _, context in "\(context.principal?.has(scope: "documents:write") == true)" }
        router.group("nested").add(middleware: keyward.keys()).group("documents")
            .add(middleware: keyward.keys(scopes: "documents:read"))
            .get { _, context in try context.requirePrincipal().name }
        router.get("unguarded") { _, context in try context.requirePrincipal().name }
        let application = Application(router: router, services: [keyward], logger: silent)
        try await application.test(.router) { try await body($0) }
    }

    @Test("routes require scopes, and the challenge names them")
    func scopes() async throws {
        let keyward = TestKeyward()
        let none = try keyward.issue(name: "none")
        let reader = try keyward.issue(owner: "ada", scopes: ["documents:read"])
        let writer = try keyward.issue(scopes: ["documents:*"])
        try await run(keyward) { client in
            try await client.expect("200 none", from: "/any", .get, none.headers)
            try await client.expect("403 scope_missing", from: "/documents", .get, none.headers)
            try await client.expect("200 ada", from: "/documents", .get, reader.headers)
            try await client.expect("403 scope_missing", from: "/documents", .post, reader.headers)
            try await client.expect("200 true", from: "/documents", .post, writer.headers)
            try await client.expect("200 test", from: "/nested/documents", .get, reader.headers)
            try await client.expect("403 scope_missing", from: "/nested/documents", .get, none.headers)
            try await client.expect("401 key_missing", from: "/unguarded", .get, reader.headers)
            try await client.execute(uri: "/documents", method: .post, headers: reader.headers) { response in
                let challenge = response.headers[.wwwAuthenticate] ?? ""
                #expect(challenge.contains(#"error="insufficient_scope""#))
                #expect(challenge.contains(#"scope="documents:read documents:write""#))
            }
        }
    }

    @Test("path rules apply in addition, and ambiguous paths are then refused")
    func rules() async throws {
        let keyward = TestKeyward(options: try KeywardOptions(require: ["* /documents/secret=secrets:read"]))
        let reader = try keyward.issue(scopes: ["documents:read"])
        let both = try keyward.issue(scopes: ["documents:read", "secrets:read"])
        try await run(keyward) { client in
            try await client.expect("403 scope_missing", from: "/documents/secret", .get, reader.headers)
            try await client.expect(
                "403 scope_missing", from: "http://a.example/documents/secret", .get, reader.headers)
            try await client.expect("200 below", from: "/documents/secret", .get, both.headers)
            try await client.expect("200 below", from: "/documents/other", .get, reader.headers)
            try await client.expect("400 path_ambiguous", from: "/documents//secret", .get, both.headers)
        }
    }

    @Test("an optional key may be missing, but an invalid one is refused")
    func optional() async throws {
        let keyward = TestKeyward()
        let key = try keyward.issue(name: "me")
        try await run(keyward) { client in
            try await client.expect("200 nobody", from: "/open")
            try await client.expect("200 nobody", from: "/open", .get, [.authorization: "Basic YTpi"])
            try await client.expect("200 me", from: "/open", .get, key.headers)
            try await client.expect("401 key_malformed", from: "/open", .get, bearer("junk"))
            var two = key.headers
            two[.authorization] = nil
            two[values: .authorization] = ["Bearer \(key.token)", "Bearer \(key.token)"]
            try await client.expect("400 ambiguous_credentials", from: "/open", .get, two)
            keyward.deactivate(key)
            try await client.expect("401 key_inactive", from: "/open", .get, key.headers)
            keyward.isAvailable = false
            try await client.expect("200 nobody", from: "/open")
            try await client.expect("503 verification_unavailable", from: "/open", .get, key.headers)
            try await client.expect("401 key_missing", from: "/any")
        }
    }

    @Test("the methods, paths and validity period of a key are enforced")
    func limits() async throws {
        let keyward = TestKeyward()
        let posts = try keyward.issue(scopes: ["documents:*"], allowedMethods: ["POST"])
        let below = try keyward.issue(scopes: ["documents:*"], allowedPaths: ["/documents/*"])
        let later = try keyward.issue(expiresIn: .seconds(90), notBefore: .seconds(60))
        try await run(keyward) { client in
            try await client.expect("403 method_not_allowed", from: "/documents", .get, posts.headers)
            try await client.expect("200 true", from: "/documents", .post, posts.headers)
            try await client.expect("403 path_not_allowed", from: "/documents", .get, below.headers)
            try await client.expect("200 below", from: "/documents/%37?a=b", .get, below.headers)
            try await client.expect("400 path_ambiguous", from: "/documents/%2e%2e", .get, below.headers)
            try await client.expect("401 key_not_yet_valid", from: "/any", .get, later.headers)
            keyward.advance(by: .seconds(60))
            try await client.expect("200 test", from: "/any", .get, later.headers)
            keyward.advance(by: .seconds(30))
            try await client.expect("401 key_expired", from: "/any", .get, later.headers)
        }
    }

    @Test("allowed networks are checked against the peer or the client behind trusted proxies")
    func networks() async throws {
        func answers(
            _ options: KeywardOptions, _ cidr: String, forwarded: String?, as context: any KeyedRequestContext.Type
        ) async throws -> String {
            let keyward = TestKeyward(options: options)
            var headers = try keyward.issue(allowedCIDRs: [cidr]).headers
            headers[HTTPField.Name("X-Forwarded-For")!] = forwarded
            let sent = headers
            let answer = Answer()
            if context is AddressedContext.Type {
                try await run(keyward, as: AddressedContext.self) {
                    await answer.set(try $0.answer("/any", .get, sent))
                }
            } else {
                try await run(keyward, as: AppContext.self) { await answer.set(try $0.answer("/any", .get, sent)) }
            }
            return await answer.text
        }
        let plain = KeywardOptions()
        let proxied = try KeywardOptions(trustedProxies: ["192.0.2.0/24"])
        let (peer, client, refused) = ("192.0.2.1", "2001:db8::/32", "403 ip_not_allowed")
        #expect(try await answers(plain, peer, forwarded: nil, as: AppContext.self) == refused)
        #expect(try await answers(plain, peer, forwarded: nil, as: AddressedContext.self) == "200 test")
        #expect(try await answers(plain, client, forwarded: "2001:db8::7", as: AddressedContext.self) == refused)
        #expect(try await answers(proxied, client, forwarded: "2001:db8::7", as: AddressedContext.self) == "200 test")
        #expect(
            try await answers(proxied, client, forwarded: "[2001:db8::7]:80, 192.0.2.9", as: AddressedContext.self)
                == "200 test")
        #expect(
            try await answers(proxied, client, forwarded: "2001:db8::7, 10.0.0.1", as: AddressedContext.self) == refused
        )
        #expect(
            try await answers(proxied, client, forwarded: "2001:db8::7, junk", as: AddressedContext.self) == refused)
    }

    @Test("a preflight needs no key, but other OPTIONS requests do")
    func preflight() async throws {
        let headers: HTTPFields = [.origin: "https://a.example", .accessControlRequestMethod: "GET"]
        try await run(TestKeyward()) { client in
            try await client.expect("200 nobody", from: "/any", .options, headers)
            try await client.expect("401 key_missing", from: "/any", .options)
        }
        try await run(TestKeyward(options: try KeywardOptions(passesPreflights: false))) { client in
            try await client.expect("401 key_missing", from: "/any", .options, headers)
        }
    }

    @Test("keys are read only from the configured header fields")
    func credentialFields() async throws {
        let keyward = TestKeyward(options: try KeywardOptions(credentials: .xAPIKey))
        let key = try keyward.issue()
        try await run(keyward) { client in
            try await client.expect("401 key_missing", from: "/any", .get, key.headers)
            try await client.expect("200 test", from: "/any", .get, [HTTPField.Name("X-API-Key")!: key.token])
        }
    }

    @Test("the error about an invalid option names it")
    func invalidOptions() {
        for (text, wrong) in [
            ("require", { _ = try KeywardOptions(require: ["GET documents"]) }),
            ("trustedProxies", { _ = try KeywardOptions(trustedProxies: ["10.0.0.0/40"]) }),
        ] as [(String, () throws -> Void)] {
            do {
                try wrong()
                Issue.record("accepted: \(text)")
            } catch {
                #expect((error as? KeywardError)?.kind == .option && "\(error)".hasPrefix(text), "\(error)")
            }
        }
    }

    @Test("test keys can be changed, disabled, expired and revoked under the rules of the admin API")
    func testKeys() async throws {
        let keyward = TestKeyward()
        let key = try keyward.issue(name: " me ")
        try await run(keyward) { client in
            try await client.expect("200 me", from: "/any", .get, key.headers)
            try keyward.update(key) { $0.enabled = false }
            try await client.expect("401 key_inactive", from: "/any", .get, key.headers)
            try keyward.update(key) { ($0.enabled, $0.scopes) = (true, ["documents:read"]) }
            try await client.expect("200 -", from: "/documents", .get, key.headers)
            keyward.expire(key)
            try await client.expect("401 key_expired", from: "/any", .get, key.headers)
            try keyward.update(key) { $0.expiresAt = nil }
            try await client.expect("200 me", from: "/any", .get, key.headers)
            keyward.deactivate(key)
            try await client.expect("401 key_inactive", from: "/any", .get, key.headers)
            keyward.isAvailable = false
            try await client.expect("503 verification_unavailable", from: "/any", .get, key.headers)
            keyward.isAvailable = true
            try await client.expect("401 key_inactive", from: "/any", .get, key.headers)
        }
        #expect(throws: (any Error).self) { try keyward.issue(name: "") }
        #expect(throws: (any Error).self) { try keyward.issue(allowedCIDRs: ["everywhere"]) }
        #expect(throws: (any Error).self) { try keyward.update(key) { $0.scopes = ["a b"] } }
    }
}

private actor Answer {
    private(set) var text = ""

    func set(_ text: String) { self.text = text }
}
