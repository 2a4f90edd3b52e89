import AuthKeys
import Gateway
import Testing

/// The end of a key ends what runs for it.
@Suite struct CutTests {
    /// An upstream whose response goes on for ever.
    private func endless() async throws -> RawUpstream {
        try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        }
    }

    private func streaming(_ gateway: GatewayHarness) async throws -> RawConnection {
        let client = try await connect(port: gateway.port)
        try await client.send(gateway.get("/events"))
        try await eventually("the stream") { client.text.contains("event") }
        return client
    }

    @Test func `a stream is reset within a second of its key's revocation`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.revoke()
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
            try await upstream.connections[0].waitForClose(within: .seconds(1))
        }
    }

    @Test func `a stream is reset when its key expires`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            gateway.apply(.active, expiresAt: Timestamp.now.advanced(by: .milliseconds(400)))
            let client = try await streaming(gateway)
            #expect(!client.isClosed)
            try await eventually("the reset", within: .seconds(2)) { client.wasReset }
        }
    }

    @Test func `a deleted key's stream is reset too`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.apply(.deleted)
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
        }
    }

    @Test func `a request that has no response yet is answered that its key ended`() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the request") { !upstream.requests.isEmpty }
            gateway.revoke()
            let response = try await client.response(within: .seconds(1))
            #expect(response.status == 401)
            #expect(response.text.contains("key_inactive"))
            try await upstream.connections[0].waitForClose(within: .seconds(1))
        }
    }

    @Test func `changes to other keys, and to this one's name, leave a stream alone`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.index.apply(
                KeyEntry(
                    digest: Token.generate().digest, keyID: .generate(), version: 1, state: .deactivated, name: "other",
                    owner: nil, scopes: ""))
            gateway.apply(.active)
            try await Task.sleep(for: .milliseconds(600))
            #expect(!client.isClosed)
            try await upstream.connections[0].send("4\r\nmore\r\n")
            try await eventually("more of the stream") { client.text.contains("more") }
        }
    }

    @Test func `where it is turned off, what runs goes on and the next request is refused`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream, options: .with(\.cutsRevoked, false)) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.revoke()
            try await Task.sleep(for: .milliseconds(600))
            #expect(!client.isClosed)
            #expect(try await gateway.exchange(gateway.get()).status == 401)
        }
    }

    @Test func `an expiry that is set while a stream runs ends it`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.apply(.active, expiresAt: Timestamp.now.advanced(by: .milliseconds(900)))
            try await Task.sleep(for: .milliseconds(400))
            #expect(!client.isClosed)
            try await eventually("the reset", within: .seconds(2)) { client.wasReset }
        }
    }

    @Test func `keys that cannot be verified any more end what runs for them`() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream, options: HarnessOptions(maxStaleness: .zero)) {
            gateway async throws in
            let client = try await streaming(gateway)
            gateway.freshness.recordFailure()
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
        }
    }
}
