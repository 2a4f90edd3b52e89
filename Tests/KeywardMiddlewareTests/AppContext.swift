import HTTPTypes
import Hummingbird
import HummingbirdTesting
import KeywardMiddleware
import Logging
import NIOCore
import Testing

/// A context that knows no addresses.
struct AppContext: KeyedRequestContext {
    var coreContext: CoreRequestContextStorage
    var principal: Principal?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }
}

/// A context that knows them; requests of these tests come from 192.0.2.1.
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
    /// The status and the code of the error, or the text, that a request is answered with.
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
        at place: SourceLocation = #_sourceLocation
    ) async throws {
        let answer = try await answer(uri, method, headers)
        #expect(answer == expected, "\(method) \(uri)", sourceLocation: place)
    }
}

func bearer(_ token: String) -> HTTPFields { [.authorization: "Bearer \(token)"] }
