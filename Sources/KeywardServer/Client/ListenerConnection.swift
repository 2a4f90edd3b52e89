import AsyncHTTPClient
import ControlAPI
import FoundationEssentials
import Gateway
import Glibc
import NIOCore
import NIOHTTP1

/// How commands reach a control listener. Follows no redirects: they would carry the admin key elsewhere.
struct ListenerConnection {
    private static let bodyLimit = 65_536

    /// The URL of the listener, without a slash at its end.
    let base: String

    /// Refuses a server that does not say that it is a control listener.
    ///
    /// Commands call this before they send a secret: a URL of another server, such as the gateway, gets a request without one.
    func identify(within limit: TimeAmount = .seconds(30)) async throws {
        let response = try await get("/healthz", within: limit)
        if response.status == .ok, Self.service(in: response.body) == ListenerIdentity.service { return }
        let hint = response.isGateway ? ": it is a gateway" : ""
        throw CommandError(
            .unreachable,
            "\(base) is not a control listener of Keyward\(hint) (GET /healthz is \(response.status.code)). "
                + "Nothing else was sent to it")
    }

    private struct Identity: Decodable {
        let service: String
    }

    private static func service(in body: [UInt8]) -> String? {
        (try? JSONDecoder().decode(Identity.self, from: Data(body)))?.service
    }

    struct Response {
        let status: HTTPResponseStatus
        let body: [UInt8]
        /// Whether it asks for a key of Keyward's, as only gateways do without an admin key.
        let isGateway: Bool
    }

    /// Sends a request that needs no admin key.
    func get(_ path: String, within limit: TimeAmount = .seconds(30)) async throws -> Response {
        try await withClient(read: limit) { client in
            let response = try await client.execute(HTTPClientRequest(url: base + path), timeout: limit)
            let body = try await response.body.collect(upTo: Self.bodyLimit)
            let challenge = response.headers.first(name: "WWW-Authenticate") ?? ""
            return Response(
                status: response.status, body: Array(body.readableBytesView),
                isGateway: response.status == .unauthorized && challenge.contains("realm=\"keyward\""))
        }
    }

    /// Runs a request to its end on a client of its own, and reports a failure in the operator's terms.
    /// - Parameters:
    ///   - read: the longest time without a byte of the response.
    ///   - isChange: whether the request changes something.
    func withClient<R>(
        read: TimeAmount = .seconds(30), isChange: Bool = false, _ body: (HTTPClient) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(5), read: read)
        // The first failure is the one to report; a refused connection would be retried until the timeout otherwise.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(configuration: configuration)
        do {
            let result = try await body(client)
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            let isOurs = error is StartError || error is CommandError || error is OutputError
            throw isOurs ? error : failure(error, isChange: isChange)
        }
    }

    private func failure(_ error: any Error, isChange: Bool) -> CommandError {
        let clientError = error as? HTTPClientError
        let isSilent = clientError == .readTimeout || clientError == .deadlineExceeded
        let isCut =
            clientError == .remoteConnectionClosed
            || (error as? IOError).map { [ECONNRESET, EPIPE].contains($0.errnoCode) } ?? false
        guard isSilent || isCut else {
            let cause =
                clientError == .connectTimeout ? "no response in time" : ConnectionFailure.description(of: error)
            return CommandError(.unreachable, "the control listener at \(base) cannot be reached: \(cause)")
        }
        let advice = isChange ? ". The change may have been carried out: keyward audit list shows it then" : ""
        return CommandError(
            isChange ? .failure : .unreachable,
            "the control listener at \(base) \(isSilent ? "did not answer in time" : "closed the connection")\(advice)")
    }
}
