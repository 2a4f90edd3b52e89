import Hummingbird
import HummingbirdTesting
import KeywardMiddlewareTesting
import Logging
import NIOCore
import Testing

@testable import DocumentsApp

@Suite("Documents API")
struct DocumentsAppTests {
    private let keyward = TestKeyward()

    private func run(_ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void) async throws {
        let application = buildApplication(keyward: keyward, logger: Logger(label: "test"))
        try await application.test(.router) { try await body($0) }
    }

    @Test("the scopes of a key are enforced")
    func scopes() async throws {
        let reader = try keyward.issue(owner: "ada", scopes: ["documents:read"])
        let writer = try keyward.issue(owner: "bob", scopes: ["documents:*"])
        try await run { client in
            let body = ByteBuffer(string: "hello")
            try await client.execute(uri: "/documents", method: .post, headers: reader.headers, body: body) {
                #expect($0.status == .forbidden)
            }
            try await client.execute(uri: "/documents", method: .post, headers: writer.headers, body: body) {
                #expect($0.status == .created)
            }
            try await client.execute(uri: "/documents", method: .get, headers: reader.headers) {
                #expect($0.status == .ok && String(buffer: $0.body).contains(#""author":"bob""#))
            }
        }
    }

    @Test("documents need a valid key, and the greeting does not")
    func validKeyRequired() async throws {
        let key = try keyward.issue(name: "ada's key", scopes: ["documents:read"], expiresIn: .seconds(60))
        try await run { client in
            try await client.execute(uri: "/documents", method: .get) { #expect($0.status == .unauthorized) }
            try await client.execute(uri: "/hello", method: .get) {
                #expect(String(buffer: $0.body) == "hello, stranger")
            }
            try await client.execute(uri: "/hello", method: .get, headers: key.headers) {
                #expect(String(buffer: $0.body) == "hello, ada's key")
            }
            keyward.advance(by: .seconds(61))
            try await client.execute(uri: "/documents", method: .get, headers: key.headers) {
                #expect($0.status == .unauthorized && String(buffer: $0.body).contains("key_expired"))
            }
        }
    }
}
