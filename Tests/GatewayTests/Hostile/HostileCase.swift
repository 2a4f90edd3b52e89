import AuthKeys
import TestSupport
import Testing

/// The bytes of a hostile client, the expected responses, and the requests that the upstream may see.
///
/// In texts, a character is a byte. `{key}` stands for a valid key, `{other}` for an unknown one.
struct HostileCase: Sendable, CustomTestStringConvertible {
    enum Answer: Sendable {
        /// The upstream's response: the target of its request.
        case upstream(String)
        /// The gateway's own response, with its code.
        case refusal(Int, String?)
    }

    enum Sight: Sendable {
        /// Not even a connection.
        case nothing
        /// No complete request, and the end of the connection.
        case unfinished
        /// These requests, byte for byte. `{own}` stands for the fields that the gateway adds, `{anonymous}` for those
        /// without an identity, `{upstream}` for the upstream's own name.
        case requests([String])
    }

    let name: String
    let bytes: String
    /// All responses that the client gets.
    let answers: [Answer]
    /// True if the client's connection can be used again.
    let isKept: Bool
    let sight: Sight
    var isToHead: Bool { bytes.hasPrefix("HEAD ") }

    var testDescription: String { name }

    /// A case that is refused at its head.
    static func refused(
        _ name: String, _ bytes: String, _ status: Int = 400, _ code: String? = nil, kept: Bool = false
    ) -> HostileCase {
        HostileCase(name: name, bytes: bytes, answers: [.refusal(status, code)], isKept: kept, sight: .nothing)
    }

    /// A case that is refused within its body.
    static func broken(_ name: String, _ bytes: String) -> HostileCase {
        HostileCase(name: name, bytes: bytes, answers: [.refusal(400, nil)], isKept: false, sight: .unfinished)
    }

    /// A case that is forwarded as one harmless request, with this line, these fields after `Host`, and this body.
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
    /// The code of a refusal for statuses that have only one.
    static let codes = [
        400: "malformed_request", 405: "method_not_supported", 408: "request_timeout", 414: "target_too_long",
        431: "headers_too_large", 505: "version_not_supported",
    ]
}

/// Sends a case to a gateway, in one write or byte by byte, and then the requests of an innocent client. Harm done by
/// the case would show in those.
func run(_ hostile: HostileCase, byteByByte: Bool = false) async throws {
    let upstream = try await RawUpstream { .send(echo($0)) }
    try await withGateway(before: upstream) { gateway async throws in
        let client = try await connect(port: gateway.port)
        let bytes = filled(hostile.bytes, gateway).latin1
        if byteByByte {
            // A refusal may come before the last byte, and end the connection.
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
        #expect(client.text == "", "the client got more bytes than expected")
        await client.close()
        let innocent = try await gateway.exchange(gateway.get("/innocent"))
        #expect(innocent.text == "/innocent")
        try await check(upstream, hostile, byteByByte: byteByByte, ids: ids, gateway)
    }
}

/// The response of an upstream that echoes the target.
func echo(_ request: RawUpstream.Request) -> String {
    let body = request.head.hasPrefix("HEAD ") ? "" : request.target
    return "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

extension RawUpstream.Request {
    /// The target of the request; empty if the request line is invalid.
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

/// Checks that the upstream saw the requests of the case, then the innocent ones, and not a byte more.
private func check(
    _ upstream: RawUpstream, _ hostile: HostileCase, byteByByte: Bool, ids: [String], _ gateway: GatewayHarness
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
    // Chunks that arrive byte by byte may be merged.
    let differs = byteByByte ? try zip(seen, expected).contains { try joined($0) != joined($1) } : seen != expected
    #expect(!differs && seen.count == expected.count, "the upstream saw \(seen) instead of \(expected)")
    let served = Set(requests.map(\.connection))
    switch hostile.sight {
    case .unfinished:
        try await eventually("connections with unfinished requests to close") {
            upstream.connections.enumerated().allSatisfy { served.contains($0) || $1.isClosed }
        }
    case .nothing: #expect(upstream.connections.count == 1, "only the innocent client's connection")
    case .requests:
        #expect(served.count == upstream.connections.count)
        #expect(upstream.connections.map(\.received).reduce(0, +) == requests.map(\.bytes.count).reduce(0, +))
    }
}

/// Returns a request with its chunks merged.
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

/// Returns a request as the upstream sees it, with the fields that the gateway adds.
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
