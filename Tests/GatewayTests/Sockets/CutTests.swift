import AuthKeys
import Gateway
import TestSupport
import Testing

/// The end of running exchanges when their key becomes invalid.
@Suite("Exchanges of keys that become invalid") struct CutTests {
    /// An upstream whose response never ends.
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

    @Test("a stream is reset within a second after its key is revoked") func revokedKey() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.revoke()
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
            try await upstream.connections[0].waitForClose(within: .seconds(1))
        }
    }

    @Test("a stream is reset when its key expires") func expiredKey() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let expiry = Timestamp.now.advanced(by: .milliseconds(900))
            gateway.apply(.active, expiresAt: expiry)
            let client = try await streaming(gateway)
            try await eventually("the reset", within: .seconds(3)) { client.wasReset }
            #expect(Timestamp.now >= expiry)
        }
    }

    @Test("a stream is reset when its key is deleted") func deletedKey() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.apply(.deleted)
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
        }
    }

    @Test("a request without a response yet is refused when its key is revoked") func noResponseYet() async throws {
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

    @Test("changes to other keys, and to this key's name, do not end a stream") func otherChanges() async throws {
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

    @Test("without cutting, a stream continues and the next request is refused") func disabled() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream, options: .with(\.cutsRevoked, false)) { gateway async throws in
            let client = try await streaming(gateway)
            gateway.revoke()
            try await Task.sleep(for: .milliseconds(600))
            #expect(!client.isClosed)
            #expect(try await gateway.exchange(gateway.get()).status == 401)
        }
    }

    @Test("an expiry that is set during a stream ends it") func laterExpiry() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await streaming(gateway)
            let expiry = Timestamp.now.advanced(by: .milliseconds(900))
            gateway.apply(.active, expiresAt: expiry)
            try await eventually("the reset", within: .seconds(3)) { client.wasReset }
            #expect(Timestamp.now >= expiry)
        }
    }

    @Test("streams end when keys can no longer be verified") func staleIndex() async throws {
        let upstream = try await endless()
        try await withGateway(before: upstream, options: HarnessOptions(maxStaleness: .zero)) {
            gateway async throws in
            let client = try await streaming(gateway)
            gateway.freshness.recordFailure()
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
        }
    }
}
