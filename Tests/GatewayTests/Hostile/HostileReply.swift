import TestSupport
import Testing

/// A hostile response of an upstream, and the part of it that the client may get.
struct HostileReply: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// Nothing: the client gets a 502, and its connection stays open.
        case nothing
        /// The end of its connection, in a way that the client cannot mistake for a complete response.
        case cut
        /// Exactly these bytes, with `{id}` for the `X-Request-Id` line.
        case gets(String)
    }

    let name: String
    let bytes: String
    var method = "GET"
    var version = "1.1"
    /// Additional fields of the request.
    var fields = ""
    /// True if the upstream closes its connection after the bytes, which are then ASCII.
    var closes = false
    let outcome: Outcome
    /// True if the client's connection can be used again.
    var keepsClient = true
    /// True if the upstream's connection can be used again.
    var keepsUpstream = false

    var testDescription: String { name }

    static func none(
        _ name: String, _ bytes: String, closes: Bool = false, to fields: String = ""
    ) -> HostileReply {
        HostileReply(name: name, bytes: bytes, fields: fields, closes: closes, outcome: .nothing)
    }

    static func cut(_ name: String, _ bytes: String, closes: Bool = false, version: String = "1.1") -> HostileReply {
        HostileReply(name: name, bytes: bytes, version: version, closes: closes, outcome: .cut)
    }

    static func gets(
        _ name: String, _ bytes: String, _ expected: String, method: String = "GET", version: String = "1.1",
        closes: Bool = false, keepsClient: Bool = true, keepsUpstream: Bool = false
    ) -> HostileReply {
        HostileReply(
            name: name, bytes: bytes, method: method, version: version, closes: closes, outcome: .gets(expected),
            keepsClient: keepsClient, keepsUpstream: keepsUpstream)
    }

    /// An upstream that sends the bytes once, on its first connection. Later requests get their own target as the
    /// response.
    func upstream() async throws -> RawUpstream {
        try await RawUpstream { request in
            guard request.connection == 0, request.index == 0 else { return .send(echo(request)) }
            return closes ? .sendThenClose(bytes) : .sendBytes(bytes.latin1)
        }
    }
}

/// Lets an upstream send the response, and then serve innocent requests: on the same client's connection if it stays
/// open, and on another.
func run(_ reply: HostileReply) async throws {
    let upstream = try await reply.upstream()
    try await withGateway(before: upstream) { gateway async throws in
        let client = try await connect(port: gateway.port)
        try await client.send(
            "\(reply.method) /hostile HTTP/\(reply.version)\r\nHost: api.test\r\n\(gateway.bearer)\(reply.fields)\r\n")
        switch reply.outcome {
        case .nothing:
            let response = try await client.response()
            #expect(response.status == 502)
            #expect(response["Connection"] == [])
            #expect(response.text.hasPrefix(#"{"error":{"type":"upstream_error","#))
            #expect(response.text.hasSuffix(#","code":"upstream_reset"}}"#))
            try await client.send(gateway.get("/canary"))
            let canary = try await client.response()
            #expect(canary.text == "/canary")
            #expect(client.text == "")
        case .cut:
            try await client.waitForClose()
            #expect(client.wasReset)
            #expect(!client.text.hasSuffix("\r\n0\r\n\r\n"))
        case .gets(let text):
            try await check(client, text, reply, upstream, gateway)
        }
        await client.close()
        let innocent = try await gateway.exchange(gateway.get("/innocent"))
        #expect(innocent.text == "/innocent")
        let expected = ["/hostile"] + (reply.keepsClient && !reply.isCut ? ["/canary"] : []) + ["/innocent"]
        let requests = upstream.requests
        #expect(requests.map(\.target) == expected)
        #expect(requests.dropFirst().allSatisfy { $0.connection == (reply.keepsUpstream ? 0 : 1) })
        if !reply.keepsUpstream {
            try await eventually("the upstream's connection to close") { upstream.connections[0].isClosed }
        }
    }
}

/// Checks that the client gets the expected bytes, and after them the response to its next request.
private func check(
    _ client: RawConnection, _ text: String, _ reply: HostileReply, _ upstream: RawUpstream, _ gateway: GatewayHarness
) async throws {
    func due(_ number: Int, _ text: String) throws -> String {
        let id = try #require(upstream.requests[number]["X-Request-Id"].first)
        return text.replacing("{id}", with: "X-Request-Id: \(id)\r\n")
    }
    guard reply.keepsClient else {
        try await client.waitForClose()
        #expect(!client.wasReset)
        #expect(String(latin1: client.bytes) == (try due(0, text)))
        return
    }
    try await eventually("the first answer") {
        guard upstream.requests.count > 0 else { return false }
        return client.bytes.count >= (try due(0, text)).latin1.count
    }
    try await client.send(gateway.get("/canary"))
    let behind = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n{id}\r\n/canary"
    try await eventually("the second answer") { client.text.hasSuffix("\r\n\r\n/canary") }
    #expect(String(latin1: client.bytes) == (try due(0, text)) + (try due(1, behind)))
}

extension HostileReply {
    fileprivate var isCut: Bool {
        if case .cut = outcome { true } else { false }
    }
}
