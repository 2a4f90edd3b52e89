import AuthKeys
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddleware
import TestSupport
import Testing

@Suite("Key verification middleware")
struct KeyVerificationMiddlewareTests {
    private func withService(
        _ body: @escaping @Sendable (any TestClientProtocol, AuthKeyService, InMemoryStore) async throws -> Void
    ) async throws {
        let store = InMemoryStore()
        let index = KeyIndex()
        let freshness = IndexFreshness(maxStaleness: .seconds(60))
        freshness.recordSync(startedAt: TimeSource.system.uptime())
        let verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: store, index: index))
        let router = Router(context: AppContext.self)
        router.add(middleware: KeyVerificationMiddleware(RequestVerifier(verifier: verifier)))
        router.get("whoami") { _, context in context.principal?.name ?? "nobody" }
        let application = Application(
            responder: router.buildResponder(), logger: silent)
        try await application.test(.router) { client in
            try await body(client, AuthKeyService(store: store, index: index), store)
        }
    }

    @Test("a valid key is accepted with its principal, and a revoked key is refused")
    func admitted() async throws {
        try await withService { client, service, _ in
            let issued = try await service.create(KeyRequest(name: "me"))
            for headers in [
                [.authorization: "bearer \(issued.token.value)"],
                [HTTPField.Name("x-api-key")!: issued.token.value],
            ] as [HTTPFields] {
                try await client.execute(uri: "/whoami", method: .get, headers: headers) { response in
                    #expect(response.status == .ok && String(buffer: response.body) == "me")
                }
            }
            try await service.deactivate(issued.key.id.description)
            try await client.execute(
                uri: "/whoami", method: .get, headers: [.authorization: "Bearer \(issued.token.value)"]
            ) { response in
                #expect(response.status == .unauthorized)
                #expect(String(buffer: response.body).contains("\"code\":\"key_inactive\""))
                #expect(response.headers[.wwwAuthenticate]?.contains("invalid_token") == true)
            }
        }
    }

    @Test("missing, malformed, unknown and ambiguous keys and an unreachable database have distinct errors")
    func refused() async throws {
        try await withService { client, _, store in
            let unknown = Token.generate().value
            for (headers, status, code) in [
                ([:], .unauthorized, "key_missing"),
                ([.authorization: "Bearer junk"], .unauthorized, "key_malformed"),
                ([.authorization: "Bearer \(unknown)"], .unauthorized, "key_unknown"),
                (
                    [.authorization: "Bearer \(unknown)", HTTPField.Name("x-api-key")!: "other"], .badRequest,
                    "ambiguous_credentials"
                ),
            ] as [(HTTPFields, HTTPResponse.Status, String)] {
                try await client.execute(uri: "/whoami", method: .get, headers: headers) { response in
                    #expect(response.status == status && String(buffer: response.body).contains("\"code\":\"\(code)\""))
                }
            }
            store.isDown = true
            try await client.execute(
                uri: "/whoami", method: .get, headers: [.authorization: "Bearer \(Token.generate().value)"]
            ) { response in
                #expect(response.status == .serviceUnavailable && response.headers[.retryAfter] == "1")
            }
        }
    }
}
