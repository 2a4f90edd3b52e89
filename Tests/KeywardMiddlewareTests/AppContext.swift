import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddleware
import Logging
import NIOCore
import Testing

/// A context without the client address.
struct AppContext: KeyedRequestContext {
    var coreContext: CoreRequestContextStorage
    var principal: Principal?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }
}

/// A context with the client address, which is 192.0.2.1 in these tests.
struct AddressedContext: KeyedRequestContext, RemoteAddressRequestContext {
    var coreContext: CoreRequestContextStorage
    var principal: Principal?
    let remoteAddress = try? SocketAddress(ipAddress: "192.0.2.1", port: 4_711)

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension TestClientProtocol {
    /// Sends a request, and returns the status, with the error code or else the body.
    func answer(
        _ uri: String, _ method: HTTPRequest.Method = .get, _ headers: HTTPFields = [:]
    ) async throws -> String {
        try await execute(uri: uri, method: method, headers: headers) { response in
            let body = String(buffer: response.body)
            let code = body.split(separator: "\"code\":\"").dropFirst().first?.prefix { $0 != "\"" }
            return "\(response.status.code) \(code.map(String.init) ?? body)"
        }
    }

    func expect(
        _ expected: String, from uri: String, _ method: HTTPRequest.Method = .get, _ headers: HTTPFields = [:],
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await answer(uri, method, headers)
        #expect(answer == expected, "\(method) \(uri)", sourceLocation: location)
    }
}

func bearer(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }
