import AsyncHTTPClient
import ControlBodies
import FoundationEssentials
import Gateway
import Glibc
import NIOCore
import NIOHTTP1

/// The connection of a command to a control listener. It follows no redirects, which could send the admin key to
/// another server.
struct ListenerConnection {
    private static let bodyLimit = 65_536

    /// The URL of the listener, without a trailing slash.
    let base: String

    /// Throws an error if the server does not identify itself as a control listener.
    ///
    /// Commands call this before they send a secret. If the URL leads to another server, such as the gateway, that
    /// server gets one request, which carries no secret.
    func identify(within limit: TimeAmount = .seconds(30)) async throws {
        let response = try await get("/healthz", within: limit)
        let health = try? JSONDecoder().decode(HealthJSON.self, from: Data(response.body))
        if response.status == .ok, health?.service == HealthJSON.controlListener { return }
        let hint = response.isGateway ? ": it is a gateway" : ""
        throw CommandError(
            .unreachable,
            "\(base) is not a control listener of Keyward\(hint) (GET /healthz responded with \(response.status.code)). "
                + "Nothing else was sent to it")
    }

    struct Response {
        let status: HTTPResponseStatus
        let body: [UInt8]
        /// True if the response demands a key of Keyward, as only a gateway's does without an admin key.
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

    /// Runs a request on a new HTTP client, and converts a failure into an error for the operator.
    /// - Parameters:
    ///   - read: the longest time without a byte of the response.
    ///   - isChange: true if the request changes something.
    func withClient<R>(
        read: TimeAmount = .seconds(30), isChange: Bool = false, _ body: (HTTPClient) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(5), read: read)
        // Otherwise the client would retry a refused connection until the timeout, and hide the first failure.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(configuration: configuration)
        do {
            let result = try await body(client)
            try await client.shutdown()
            return result
        } catch {
            try? await client.shutdown()
            let isOurs = error is CommandError || error is OutputError
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
        let advice = isChange ? ". The change may have been carried out: keyward audit list shows whether it was" : ""
        return CommandError(
            isChange ? .failure : .unreachable,
            "the control listener at \(base) \(isSilent ? "did not respond in time" : "closed the connection")\(advice)"
        )
    }
}
