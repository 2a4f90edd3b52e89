import AuthKeys
import Testing

/// What a client sends to do harm, what it gets for that, and what the upstream sees of it.
///
/// In texts, a character is a byte; `{key}` stands for the good key, `{other}` for one that nobody knows.
struct HostileCase: Sendable, CustomTestStringConvertible {
    enum Answer: Sendable {
        /// The upstream's: the target that it was asked for.
        case upstream(String)
        /// The gateway's own, with its code.
        case refusal(Int, String?)
    }

    enum Sight: Sendable {
        /// Not even a connection.
        case nothing
        /// No whole request, and the end of the connection.
        case unfinished
        /// These, byte for byte; `{own}` stands for the fields that the gateway adds, `{anonymous}` for those without an
        /// identity, `{upstream}` for the upstream's own name.
        case requests([String])
    }

    let name: String
    let bytes: String
    /// Every answer that the client gets.
    let answers: [Answer]
    /// Whether the client's connection can be used again.
    let isKept: Bool
    let sight: Sight
    var isToHead: Bool { bytes.hasPrefix("HEAD ") }

    var testDescription: String { name }

    /// Refused at its head.
    static func refused(
        _ name: String, _ bytes: String, _ status: Int = 400, _ code: String? = nil, kept: Bool = false
    ) -> HostileCase {
        HostileCase(name: name, bytes: bytes, answers: [.refusal(status, code)], isKept: kept, sight: .nothing)
    }

    /// Refused within its body.
    static func broken(_ name: String, _ bytes: String) -> HostileCase {
        HostileCase(name: name, bytes: bytes, answers: [.refusal(400, nil)], isKept: false, sight: .unfinished)
    }

    /// Harmless as it crosses: one request, with that line, those fields after `Host`, and that body.
    static func passes(
        _ name: String, _ bytes: String, as line: String = "POST /p", host: String = "api.test", _ fields: String = "",
        body: String = "", kept: Bool = true, anonymous: Bool = false
    ) -> HostileCase {
        let own = anonymous ? "{anonymous}" : "{own}"
        let request = "\(line) HTTP/1.1\r\nHost: \(host)\r\n\(fields)\(own)\r\n\(body)"
        let target = line.split(separator: " ").last.map(String.init) ?? ""
        return HostileCase(
            name: name, bytes: bytes, answers: [.upstream(target)], isKept: kept, sight: .requests([request]))
    }
}

extension HostileCase {
    /// The code of a refusal, where its status says it all.
    static let codes = [
        400: "malformed_request", 405: "method_not_supported", 408: "request_timeout", 414: "target_too_long",
        431: "headers_too_large", 505: "version_not_supported",
    ]
}

/// Sends a case to a gateway, whole or a byte at a time, and then what an innocent client would send: whoever was to be
/// harmed by the case would be harmed in that.
func run(_ hostile: HostileCase, inDrops: Bool = false) async throws {
    let upstream = try await RawUpstream { .send(echo($0)) }
    try await withGateway(before: upstream) { gateway async throws in
        let client = try await connect(port: gateway.port)
        let bytes = filled(hostile.bytes, gateway).latin1
        if inDrops {
            // A refusal may come before the last drop, and end the connection.
            for byte in bytes { guard (try? await client.send([byte])) != nil else { break } }
        } else {
            try await client.send(bytes)
        }
        var ids: [String] = []
        for (number, answer) in hostile.answers.enumerated() {
            let response = try await client.response(toHead: hostile.isToHead && number == 0)
            let isLast = number == hostile.answers.count - 1 && !hostile.isKept
            check(response, answer, toHead: hostile.isToHead && number == 0)
            #expect(response["Connection"] == (isLast ? ["close"] : []))
            if case .upstream = answer { ids += response["X-Request-Id"] }
        }
        if hostile.isKept {
            try await client.send(gateway.get("/canary"))
            let canary = try await client.response()
            #expect(canary.text == "/canary")
        } else {
            try await client.waitForClose()
            #expect(!client.wasReset)
        }
        #expect(client.text == "", "the client got more than was due")
        await client.close()
        let innocent = try await gateway.exchange(gateway.get("/innocent"))
        #expect(innocent.text == "/innocent")
        try await check(upstream, hostile, inDrops: inDrops, ids: ids, gateway)
    }
}

/// The answer of an upstream that names the target.
func echo(_ request: RawUpstream.Request) -> String {
    let body = request.head.hasPrefix("HEAD ") ? "" : request.target
    return "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

extension RawUpstream.Request {
    /// What is asked for; empty if that is not to be told.
    var target: String {
        let words = head.split(separator: " ", maxSplits: 2)
        return words.count == 3 ? String(words[1]) : ""
    }
}

private func check(_ response: RawResponse, _ answer: HostileCase.Answer, toHead: Bool) {
    #expect(response["X-Request-Id"].map(\.count) == [32])
    switch answer {
    case .upstream(let target):
        #expect(response.status == 200)
        #expect(response.text == (toHead ? "" : target))
    case .refusal(let status, let code):
        #expect(response.status == status)
        #expect(response["Content-Type"] == ["application/json"])
        if toHead { return }
        let type = status == 401 ? "authentication_error" : "invalid_request_error"
        #expect(response.text.hasPrefix(#"{"error":{"type":"\#(type)","#))
        #expect(response.text.hasSuffix(#","code":"\#(code ?? HostileCase.codes[status] ?? "?")"}}"#))
    }
}

/// What the upstream saw is what the case says, then the innocent requests, and not a byte more.
private func check(
    _ upstream: RawUpstream, _ hostile: HostileCase, inDrops: Bool, ids: [String], _ gateway: GatewayHarness
) async throws {
    let innocent = hostile.isKept ? ["/canary", "/innocent"] : ["/innocent"]
    let requests = upstream.requests
    #expect(requests.suffix(innocent.count).map(\.target) == innocent)
    var expected: [String] = []
    if case .requests(let texts) = hostile.sight {
        expected = zip(texts, ids).map { filled($0, id: $1, gateway, upstream) }
        #expect(expected.count == texts.count)
    }
    let seen = requests.dropLast(innocent.count).map { String(latin1: $0.bytes) }
    // Drops may be gathered, or not.
    let differs = inDrops ? try zip(seen, expected).contains { try joined($0) != joined($1) } : seen != expected
    #expect(!differs && seen.count == expected.count, "the upstream saw \(seen), and not \(expected)")
    let served = Set(requests.map(\.connection))
    switch hostile.sight {
    case .unfinished:
        try await eventually("what was begun to be given up") {
            upstream.connections.enumerated().allSatisfy { served.contains($0) || $1.isClosed }
        }
    case .nothing: #expect(upstream.connections.count == 1, "only the innocent's")
    case .requests:
        #expect(served.count == upstream.connections.count)
        #expect(upstream.connections.map(\.received).reduce(0, +) == requests.map(\.bytes.count).reduce(0, +))
    }
}

/// A request with its chunks put together.
private func joined(_ request: String) throws -> String {
    let parts = request.components(separator: "\r\n\r\n")
    guard parts[0].contains("Transfer-Encoding: chunked") else { return request }
    let body = parts.dropFirst().joined(separator: "\r\n\r\n")
    return "\(parts[0])\r\n\r\n\(String(latin1: try #require(try RawResponse.dechunk(body.latin1)).0))"
}

private func filled(_ text: String, _ gateway: GatewayHarness) -> String {
    guard text.contains("{") else { return text }
    return text.replacing("{key}", with: gateway.token.value).replacing("{other}", with: Token.generate().value)
}

/// A request as the upstream sees it, with what the gateway adds.
private func filled(_ text: String, id: String, _ gateway: GatewayHarness, _ upstream: RawUpstream) -> String {
    let host = text.components(separator: "\r\n").first { $0.hasPrefix("Host: ") }?.dropFirst(6) ?? ""
    let identity = "X-Keyward-Key-Id: \(gateway.keyID)\r\nX-Keyward-Key-Name: test key\r\n"
    var added = "X-Request-Id: \(id)\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n"
    if host != "{upstream}" { added += "X-Forwarded-Host: \(host)\r\n" }
    return text.replacing("{own}", with: identity + added).replacing("{anonymous}", with: added)
        .replacing("{upstream}", with: "127.0.0.1:\(upstream.port)")
}

extension String {
    /// Each character as one byte.
    var latin1: [UInt8] { unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

    init(latin1 bytes: [UInt8]) {
        self.init(UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
