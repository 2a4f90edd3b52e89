import AuthKeys
import Gateway
import HTTPCredentials
import Logging
import RequestLog
import TestSupport
import Testing

/// The limit of failed attempts of a client network at the gateway.
@Suite("Failed attempts at the gateway") struct FailedAttemptTests {
    private static let body =
        #"{"error":{"type":"rate_limit_error","message":"too many invalid API keys came from this network: try again later","#
        + #""param":null,"code":"too_many_failed_attempts"}}"#

    private let clock = ManualClock()

    /// Options with three attempts in a minute.
    private func options() throws -> HarnessOptions {
        var options = HarnessOptions()
        options.attempts = FailedAttempts(
            try #require(AttemptRate(3, in: .seconds(60))), of: .keys, time: clock.source, logger: options.logger)
        return options
    }

    private func ok() async throws -> RawUpstream {
        try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
    }

    private func get(_ token: String?, _ more: String = "") -> String {
        let field = token.map { "X-API-Key: \($0)\r\n" } ?? ""
        return "GET / HTTP/1.1\r\nHost: a\r\n\(field)\(more)\r\n"
    }

    @Test("a network that guesses gets 429, until it has waited for Retry-After")
    func refused() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for token in ["junk", Token.generate().value, "junk"] {
                try await client.send(get(token))
                #expect(try await client.response().status == 401)
            }
            var wait = 0
            for token in ["junk", Token.generate().value] {
                try await client.send(get(token))
                let response = try await client.response()
                #expect(response.status == 429 && response.text == Self.body)
                #expect(response["WWW-Authenticate"].isEmpty && response["RateLimit"].isEmpty)
                wait = try #require(response["Retry-After"].first.flatMap { Int($0) })
                #expect((20...40).contains(wait), "a refill of a token in 40 s, with some recovery: \(wait)")
            }
            try await client.send(get("junk", "Accept: application/problem+json\r\n"))
            let problem = try await client.response()
            #expect(problem.status == 429 && problem["Content-Type"] == ["application/problem+json"])
            #expect(problem.text.contains(#""code":"too_many_failed_attempts""#))
            clock.advance(by: .seconds(wait))
            for status in [401, 429] {
                try await client.send(get("junk"))
                #expect(try await client.response().status == status)
            }
            await client.close()
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("valid keys and other refusals of a network over its budget are not affected")
    func unaffected() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            for status in [401, 401, 401, 429] { #expect(try await gateway.exchange(get("junk")).status == status) }
            #expect(try await gateway.exchange(gateway.get()).status == 200)
            let fresh = Token.generate()
            _ = try await gateway.store.create(
                StoreConformance.newKey(name: "fresh", digest: fresh.digest), claim: nil)
            #expect(try await gateway.exchange(get(fresh.value)).status == 200)
            #expect(upstream.requests.count == 2)
            #expect(try await gateway.exchange(get(nil)).text.contains("key_missing"))
            gateway.apply(.active, expiresAt: Timestamp(microseconds: 1))
            #expect(try await gateway.exchange(gateway.get()).text.contains("key_expired"))
            gateway.revoke()
            #expect(try await gateway.exchange(gateway.get()).text.contains("key_inactive"))
            #expect(try await gateway.exchange(get("junk")).status == 429)
        }
    }

    @Test("streams of HTTP/2 share the budget of their network")
    func http2() async throws {
        let files = try TLSTests.Files()
        try await withGateway(before: ok(), options: options().with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            func ask(_ token: String) async throws -> HTTP2Inbox.Received {
                try await client.exchange([
                    (":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/"), ("x-api-key", token),
                ])
            }
            for token in ["junk", Token.generate().value, "junk"] {
                #expect(try await ask(token).status == "401")
            }
            let refused = try await ask("junk")
            #expect(refused.status == "429" && refused.body == Self.body && refused["retry-after"].count == 1)
            #expect(try await ask(gateway.token.value).status == "200")
            await client.close()
        }
    }

    @Test("behind a trusted proxy, each client network has its own budget")
    func proxies() async throws {
        let options = try options().with(\.trustedProxies, [try #require(IPNetwork("127.0.0.1"))])
        try await withGateway(before: ok(), options: options) { gateway async throws in
            func ask(_ address: String) async throws -> Int? {
                try await gateway.exchange(get("junk", "X-Forwarded-For: \(address)\r\n")).status
            }
            for _ in 0..<3 { #expect(try await ask("192.0.2.1") == 401) }
            #expect(try await ask("192.0.2.1") == 429)
            #expect(try await ask("192.0.2.2") == 401)
            #expect(try await ask("192.0.2.1, 192.0.2.2") == 401, "the nearest untrusted address is the client")
            for address in ["2001:db8::1", "2001:db8::2", "[2001:db8::3]:9"] { #expect(try await ask(address) == 401) }
            #expect(try await ask("2001:db8::4") == 429)
            #expect(try await ask("2001:db8:0:1::1") == 401)
            // A client without a valid address.
            for _ in 0..<6 { #expect(try await ask("junk") == 401) }
            for _ in 0..<3 { #expect(try await gateway.exchange(get("junk")).status == 401) }
            #expect(try await gateway.exchange(get("junk")).status == 429)
        }
    }

    @Test("an untrusted peer cannot state another address")
    func untrusted() async throws {
        try await withGateway(before: ok(), options: options()) { gateway async throws in
            for number in 0..<6 {
                let response = try await gateway.exchange(get("junk", "X-Forwarded-For: 192.0.2.\(number)\r\n"))
                #expect(response.status == (number < 3 ? 401 : 429))
            }
        }
    }

    @Test("the request log has the code of the limit")
    func log() async throws {
        let log = try await withGateway(before: ok(), options: options()) { gateway async throws in
            for _ in 0..<4 { _ = try await gateway.exchange(get("junk")) }
            return gateway.log
        }
        let lines = try #require(log.rows).takeLines()
        #expect(lines.map(\.code).suffix(2) == ["key_malformed", "too_many_failed_attempts"])
        #expect(lines.last?.outcome == .limited && lines.last?.status == 429 && lines.last?.keyID == nil)
    }
}
