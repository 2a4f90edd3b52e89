import AuthKeys
import Gateway
import TestSupport
import Testing

@Suite("Usage counting at the gateway") struct UsageTests {
    @Test("admitted requests are counted, with the client's address and agent") func counted() async throws {
        let upstream = try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
        let options = HarnessOptions.with(\.trustedProxies, [try #require(IPNetwork("127.0.0.1"))])
        let kept = try await withGateway(before: upstream, options: options) { gateway async throws in
            let secret = NewSecret(gateway.token)
            let key = NewKey(id: gateway.keyID, attributes: KeyAttributes(name: "test key"), secret: secret)
            _ = try await gateway.store.create(key, claim: nil)
            let client = try await connect(port: gateway.port)
            for _ in 0..<7 {
                try await client.send(gateway.get("/", "User-Agent: curl/8\r\nX-Forwarded-For: 192.0.2.8\r\n"))
                _ = try await client.response()
            }
            await client.close()
            let anonymous = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(anonymous.status == 401)
            return (gateway.store, gateway.keyID, gateway.usage)
        }
        // The gateway has stopped, and has handed its counts over.
        await kept.2.flush()
        let usage = try #require(try await kept.0.key(kept.1)?.usage)
        #expect(usage.requests == 7 && usage.lastAddress == "192.0.2.8" && usage.lastAgent == "curl")
    }
}
