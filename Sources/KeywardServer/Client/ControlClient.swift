import AsyncHTTPClient
import AuthKeys
import ControlAPI
import ControlBodies
import FoundationEssentials
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// A client of the control listener. It follows no redirects, which could send the admin key to another server.
struct ControlClient {
    /// A successful response.
    struct Answer {
        let body: [UInt8]
        /// The warning of Keyward for the operator.
        var warning: String?
        /// The target of the next page, if there is one.
        var next: String?
        /// The time down to which a search got before its page was full.
        var searchedTo: String?
        /// The number of elements on all pages, if the request asked for it.
        var total: Total?
    }

    struct Total {
        let count: Int
        let isExact: Bool

        init?(_ headers: HTTPHeaders) {
            guard let count = headers.first(name: "X-Total-Count").flatMap({ Int($0) }) else { return nil }
            self.count = count
            isExact = headers.first(name: "X-Total-Count-Exact") == "true"
        }
    }

    static let bodyLimit = 16 * 1024 * 1024
    static let path = "/admin/api/v1/auth-keys"

    let listener: ListenerConnection
    let adminKey: String

    func list(query: [(String, String)]) async throws -> Answer {
        try await send(.GET, Self.path + Self.text(query))
    }

    func page(_ target: String) async throws -> Answer {
        try await send(.GET, target)
    }

    func show(_ id: String) async throws -> Answer {
        try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))")
    }

    func create(_ members: [String: Member], idempotencyKey: String?) async throws -> Answer {
        try await send(.POST, Self.path, body: members, idempotencyKey: idempotencyKey)
    }

    func update(_ id: String, _ members: [String: Member], version: Int64?) async throws -> Answer {
        try await send(.PATCH, "\(Self.path)/\(PercentEncoding.encode(id))", body: members, version: version)
    }

    func explain(_ id: String, query: [(String, String)]) async throws -> Answer {
        try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))/explain" + Self.text(query))
    }

    /// - Parameter hours: nil for the listener's own default.
    func usage(_ id: String, days: Int, hours: Int?) async throws -> Answer {
        let hours = hours.map { "&hours=\($0)" } ?? ""
        return try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))/usage?days=\(days)\(hours)")
    }

    func requestStatistics(query: [(String, String)]) async throws -> Answer {
        try await send(.GET, "/admin/api/v1/requests/stats" + Self.text(query))
    }

    func rotate(_ id: String, graceSeconds: Int64?, idempotencyKey: String?) async throws -> Answer {
        let body: [String: Int64] = graceSeconds.map { ["grace_seconds": $0] } ?? [:]
        return try await send(
            .POST, "\(Self.path)/\(PercentEncoding.encode(id))/rotate", body: body, idempotencyKey: idempotencyKey)
    }

    func endPreviousSecret(_ id: String) async throws {
        _ = try await send(.DELETE, "\(Self.path)/\(PercentEncoding.encode(id))/previous-secret")
    }

    func delete(_ id: String) async throws {
        _ = try await send(.DELETE, "\(Self.path)/\(PercentEncoding.encode(id))")
    }

    func deactivate(_ id: String) async throws -> Answer {
        try await send(.POST, "\(Self.path)/\(PercentEncoding.encode(id))/deactivate")
    }

    func verify(_ members: [String: Member]) async throws -> Answer {
        try await send(.POST, "/v1/verify", body: members, isChange: false)
    }

    /// A member of a request's body.
    enum Member: Encodable {
        case text(String)
        case list([String])
        case flag(Bool)
        case texts([String: String?])
        case json(JSONValue)
        /// Clears the member.
        case none

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .list(let texts): try container.encode(texts)
            case .flag(let flag): try container.encode(flag)
            case .texts(let texts): try container.encode(texts)
            case .json(let value): try container.encode(value)
            case .none: try container.encodeNil()
            }
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, _ answer: Answer) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(answer.body))
        } catch {
            throw CommandError(
                .failure, "the response is not in Keyward's format: check that the URL is that of its control listener")
        }
    }

    /// Sends a request, and returns the response if its status is a success.
    /// - Parameters:
    ///   - isChange: true if the request changes something; nil to decide by the method.
    ///   - timeout: the longest time until the whole response has arrived.
    func send(
        _ method: HTTPMethod, _ target: String, body: (any Encodable)? = nil, idempotencyKey: String? = nil,
        version: Int64? = nil, isChange: Bool? = nil, timeout: TimeAmount = .seconds(60)
    ) async throws -> Answer {
        let content = try body.map { ByteBuffer(data: try JSONEncoder().encode($0)) }
        return try await listener.withClient(
            read: max(.seconds(30), timeout), isChange: isChange ?? (method != .GET)
        ) { client in
            var request = request(method, target)
            if let content {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .bytes(content)
            }
            if let version { request.headers.add(name: "If-Match", value: "\"\(version)\"") }
            if let idempotencyKey { request.headers.add(name: "Idempotency-Key", value: idempotencyKey) }
            let response = try await client.execute(request, timeout: timeout)
            let bytes = Array(try await response.body.collect(upTo: Self.bodyLimit).readableBytesView)
            guard (200..<300).contains(response.status.code) else {
                throw Self.refusal(response.status, bytes, requestID: response.headers.first(name: "X-Request-Id"))
            }
            return Answer(
                body: bytes, warning: response.headers.first(name: "X-Keyward-Warning"),
                next: response.headers.first(name: "Link").flatMap(Self.next),
                searchedTo: response.headers.first(name: "X-Keyward-Searched-To"), total: Total(response.headers))
        }
    }

    /// Passes a response of any length to `take`, chunk by chunk.
    func stream(_ target: String, timeout: TimeAmount, _ take: (ByteBuffer) throws -> Void) async throws {
        try await listener.withClient(read: timeout) { client in
            let response = try await client.execute(request(.GET, target), timeout: timeout)
            guard response.status == .ok else {
                let body = try await response.body.collect(upTo: Self.bodyLimit)
                throw Self.refusal(response.status, Array(body.readableBytesView))
            }
            for try await chunk in response.body { try take(chunk) }
        }
    }

    func request(_ method: HTTPMethod, _ target: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: listener.base + target)
        request.method = method
        request.headers.add(name: "Authorization", value: "Bearer \(adminKey)")
        return request
    }

    /// Returns the query with its question mark; an empty text for an empty query.
    static func text(_ query: [(String, String)]) -> String {
        query.isEmpty ? "" : "?" + query.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    }

    static func refusal(_ status: HTTPResponseStatus, _ body: [UInt8], requestID: String? = nil) -> CommandError {
        guard let error = (try? JSONDecoder().decode(ErrorJSON.self, from: Data(body)))?.error else {
            return CommandError(exitStatus(of: status), "the control listener responded with \(status.code)")
        }
        switch error.code {
        case "feature_unavailable":
            return CommandError(
                .unreachable, "\(error.message): Keyward cannot use its database at the moment. Nothing was changed")
        case "outcome_unknown":
            let command = requestID.map { ". To find out: keyward audit list --request-id \($0)" } ?? ""
            return CommandError(.failure, error.message + command)
        default: return CommandError(exitStatus(of: status), error.message)
        }
    }

    private static func exitStatus(of status: HTTPResponseStatus) -> CommandStatus {
        switch status.code {
        case 404: .notFound
        case 400..<500: .refused
        default: .failure
        }
    }

    /// Returns the target in `<target>; rel="next"` (RFC 8288); nil for another link, or for a target on another
    /// server.
    private static func next(_ link: String) -> String? {
        guard link.hasPrefix("</"), let end = link.firstIndex(of: ">"), link.contains("rel=\"next\"") else {
            return nil
        }
        return String(link[link.index(after: link.startIndex)..<end])
    }
}
