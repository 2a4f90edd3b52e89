import AuthKeys
import Foundation
import Gateway
import HTTPCredentials
import RequestLog
import TestSupport
import Testing

/// The limits of keys at the gateway: refusals, and the fields of responses.
@Suite("Limits of keys at the gateway") struct KeyLimitTests {
    private static let policyField = #""hour";q=2;w=3600"#

    /// A key with a limit of two requests in an hour.
    private func options(_ mode: LimitFieldMode = .always, reportOnly: [String] = []) throws -> HarnessOptions {
        let limit = try #require(LimitRule("hour", .rate(period: .seconds(3_600), burst: 2), limit: 2))
        var options = HarnessOptions(
            owner: "acme", policy: try #require(KeyPolicy(limits: [limit], reportOnly: reportOnly)))
        options.configuration.limitFields = mode
        return options
    }

    private func ok(_ more: String = "") async throws -> RawUpstream {
        try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\n\(more)Content-Length: 2\r\n\r\nok") }
    }

    @Test("responses state what is left, and a request beyond the limit gets 429 and reaches no upstream")
    func refused() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for left in [1, 0] {
                try await client.send(gateway.get())
                let response = try await client.response()
                #expect(response.status == 200 && response["RateLimit-Policy"] == [Self.policyField])
                #expect(response["RateLimit"].first?.hasPrefix(#""hour";r=\#(left);t="#) == true, "\(response.headers)")
                #expect(response["Retry-After"].isEmpty)
            }
            try await client.send(gateway.get() + gateway.get("/", "Origin: https://a.test\r\n"))
            for hasOrigin in [false, true] {
                let response = try await client.response()
                #expect(response.status == 429 && response["RateLimit-Policy"] == [Self.policyField])
                #expect(response["RateLimit"].first?.hasPrefix(#""hour";r=0;t="#) == true)
                let wait = try #require(response["Retry-After"].first.flatMap { Int($0) })
                #expect((1_700...1_981).contains(wait), "half an hour and up to a tenth: \(wait)")
                #expect(
                    response.text == #"{"error":{"type":"rate_limit_error","#
                        + #""message":"the API key has reached a rate limit: 'hour'","param":null,"code":"rate_limited"}}"#
                )
                #expect(
                    response["Access-Control-Expose-Headers"]
                        == (hasOrigin ? ["RateLimit, RateLimit-Policy, Retry-After"] : []))
            }
            #expect(upstream.requests.count == 2)
            // The same connection with another key.
            try await client.send("GET / HTTP/1.1\r\nHost: a\r\n\(gateway.otherBearer())\r\n")
            let other = try await client.response()
            #expect(other.status == 200 && other["RateLimit"].isEmpty && other["RateLimit-Policy"].isEmpty)
            try await client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            #expect(try await client.response()["RateLimit"].isEmpty)
            await client.close()
        }
    }

    @Test("the fields of an upstream stay beside Keyward's, and interim responses have none")
    func upstreamFields() async throws {
        let upstream = try await RawUpstream { _ in
            .send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nRateLimit: \"own\";r=5\r\n"
                    + "ratelimit-policy: \"own\";q=9\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            let interim = try await client.response()
            #expect(interim.status == 103 && interim["RateLimit"].isEmpty)
            let final = try await client.response()
            #expect(final["RateLimit"].count == 2 && final["RateLimit"].first == "\"own\";r=5")
            #expect(final["RateLimit-Policy"] == ["\"own\";q=9", Self.policyField])
            await client.close()
        }
    }

    @Test("a response of the gateway's own to an admitted request has the fields too")
    func ownResponse() async throws {
        let upstream = try await RawUpstream { _ in .sendThenClose("") }
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 502 && response["RateLimit-Policy"] == [Self.policyField])
        }
    }

    @Test("the setting selects the responses with fields", arguments: LimitFieldMode.allCases)
    func modes(_ mode: LimitFieldMode) async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options(mode)) { gateway async throws in
            var responses: [RawResponse] = []
            for _ in 0..<3 { responses.append(try await gateway.exchange(gateway.get())) }
            let counts = responses.map { $0["RateLimit"].count + $0["RateLimit-Policy"].count }
            #expect(responses.map(\.status) == [200, 200, 429])
            #expect(counts == (mode == .always ? [2, 2, 2] : mode == .limited ? [0, 0, 2] : [0, 0, 0]))
            #expect(responses[2]["Retry-After"].count == 1)
        }
    }

    @Test("a report-only limit refuses nothing and has no field")
    func reportOnly() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options(reportOnly: ["limits"])) { gateway async throws in
            for _ in 0..<4 {
                let response = try await gateway.exchange(gateway.get())
                #expect(response.status == 200 && response["RateLimit"].isEmpty)
            }
        }
    }

    @Test("HTTP/2 responses have the fields")
    func http2() async throws {
        let upstream = try await ok()
        let files = try TLSTests.Files()
        let options = try options().with(\.certificate, files.certificate)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            for status in ["200", "200", "429"] {
                let response = try await client.exchange([
                    (":method", "GET"), (":scheme", "https"), (":authority", "api.test"), (":path", "/"),
                    ("authorization", "Bearer \(gateway.token.value)"),
                ])
                #expect(response.status == status && response["ratelimit-policy"] == [Self.policyField])
                #expect(response["ratelimit"].count == 1 && response["retry-after"].count == (status == "429" ? 1 : 0))
            }
            await client.close()
        }
    }

    @Test("a client that prefers problem details gets them for every refusal")
    func problems() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let accept = "Accept: application/problem+json\r\n"
            for _ in 0..<2 { _ = try await gateway.exchange(gateway.get("/", accept)) }
            let limited = try await gateway.exchange(gateway.get("/", accept))
            #expect(limited.status == 429 && limited["Content-Type"] == ["application/problem+json"])
            #expect(
                limited.text == #"{"type":"urn:keyward:error:rate_limited","title":"Too Many Requests","status":429,"#
                    + #""detail":"the API key has reached a rate limit: 'hour'","code":"rate_limited","param":null}"#)
            let missing = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(accept)\r\n")
            #expect(missing.status == 401 && missing.text.contains(#""type":"urn:keyward:error:key_missing""#))
            #expect(missing["WWW-Authenticate"].count == 1)
            let plain = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\n\r\n")
            #expect(plain["Content-Type"] == ["application/json"] && plain.text.hasPrefix(#"{"error":{"#))
        }
    }

    @Test("refused requests have the outcome limited in the log, with key and owner")
    func logged() async throws {
        let upstream = try await ok()
        let (log, keyID) = try await withGateway(before: upstream, options: options()) { gateway async throws in
            for _ in 0..<3 { _ = try await gateway.exchange(gateway.get()) }
            return (gateway.log, gateway.keyID)
        }
        let lines = try #require(log.rows).takeLines()
        #expect(lines.map(\.outcome) == [.allowed, .allowed, .limited])
        let line = try #require(lines.last)
        #expect(line.status == 429 && line.code == "rate_limited" && line.keyID == keyID && line.owner == "acme")
    }
}
