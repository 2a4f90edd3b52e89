import AsyncHTTPClient
import AuthKeys
import ControlAPI
import FoundationEssentials
import Glibc
import NIOCore
import NIOFoundationEssentialsCompat
import NIOHTTP1

/// A client of the control listener. It follows no redirects, which could send the admin key to another server.
struct ControlClient {
    /// A key as the API represents it.
    struct Key: Codable {
        let id: String
        let name: String
        let description: String?
        let owner: String?
        let scopes: [String]?
        let labels: [String: String]?
        let redactedValue: String
        let enabled: Bool
        let lastUsedAt: String?
        let lastAddress: String?
        let lastAgent: String?
        let requests: Int?
        let secretLastUsedAt: String?
        let expiresAt: String?
        let notBefore: String?
        let allowedMethods: [String]?
        let allowedPaths: [String]?
        let allowedCIDRs: [String]?
        let reportOnly: [String]?
        let deactivatedAt: String?
        let createdAt: String
        let updatedAt: String
        let active: Bool
        let version: Int?
        let value: String?
        let previousSecret: Previous?

        struct Previous: Codable {
            let redactedValue: String
            let expiresAt: String
            let lastUsedAt: String?

            enum CodingKeys: String, CodingKey {
                case redactedValue = "redacted_value"
                case expiresAt = "expires_at"
                case lastUsedAt = "last_used_at"
            }
        }

        enum CodingKeys: String, CodingKey {
            case previousSecret = "previous_secret"
            case id, name, description, owner, scopes, labels, enabled, active, version, value
            case redactedValue = "redacted_value"
            case requests
            case lastUsedAt = "last_used_at"
            case lastAddress = "last_address"
            case lastAgent = "last_agent"
            case secretLastUsedAt = "secret_last_used_at"
            case expiresAt = "expires_at"
            case notBefore = "not_before"
            case allowedMethods = "allowed_methods"
            case allowedPaths = "allowed_paths"
            case allowedCIDRs = "allowed_cidrs"
            case reportOnly = "report_only"
            case deactivatedAt = "deactivated_at"
            case createdAt = "created_at"
            case updatedAt = "updated_at"
        }

        /// True if the key was used in the last seven days.
        var wasUsedLately: Bool {
            let moment = lastUsedAt.flatMap { try? Timestamp(rfc3339: $0) }
            return moment?.isRecentUse(at: .now) ?? false
        }

        var status: String {
            if deactivatedAt != nil { return "deactivated" }
            if active { return "active" }
            return enabled ? "expired" : "disabled"
        }
    }

    /// The explanation of a decision as the API represents it.
    struct Explanation: Codable {
        struct Step: Codable {
            let rule: String
            let outcome: String
            let message: String?
        }

        let allowed: Bool
        let code: String?
        let status: Int
        let decision: [Step]
    }

    /// The use of a key as the API represents it.
    struct Usage: Codable {
        struct Day: Codable {
            let day: String
            let requests: Int
        }

        struct Secret: Codable {
            let redactedValue: String
            let lastUsedAt: String?
            let requests: Int

            enum CodingKeys: String, CodingKey {
                case requests
                case redactedValue = "redacted_value"
                case lastUsedAt = "last_used_at"
            }
        }

        let lastUsedAt: String?
        let requests: Int
        let days: [Day]
        let secrets: [Secret]

        enum CodingKeys: String, CodingKey {
            case requests, days, secrets
            case lastUsedAt = "last_used_at"
        }
    }

    /// The result of a key's verification as the API represents it.
    struct Verdict: Decodable {
        let valid: Bool
        let code: String
        let message: String?
        let keyID: String?
        let name: String?
        let owner: String?
        let scopes: [String]?
        let expiresAt: String?

        enum CodingKeys: String, CodingKey {
            case valid, code, message, name, owner, scopes
            case keyID = "key_id"
            case expiresAt = "expires_at"
        }
    }

    /// A successful response.
    struct Answer {
        let body: [UInt8]
        /// The warning of Keyward for the operator.
        var warning: String?
        /// The target of the next page, if there is one.
        var next: String?
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
        let body = try JSONEncoder().encode(members)
        return try await send(.POST, Self.path, body: Array(body), idempotencyKey: idempotencyKey)
    }

    func update(_ id: String, _ members: [String: Member], version: Int64?) async throws -> Answer {
        let body = try JSONEncoder().encode(members)
        return try await send(.PATCH, "\(Self.path)/\(PercentEncoding.encode(id))", body: Array(body), version: version)
    }

    func explain(_ id: String, query: [(String, String)]) async throws -> Answer {
        try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))/explain" + Self.text(query))
    }

    func usage(_ id: String, days: Int) async throws -> Answer {
        try await send(.GET, "\(Self.path)/\(PercentEncoding.encode(id))/usage?days=\(days)")
    }

    func rotate(_ id: String, graceSeconds: Int64?, idempotencyKey: String?) async throws -> Answer {
        let body = try JSONEncoder().encode(graceSeconds.map { ["grace_seconds": $0] } ?? [:])
        return try await send(
            .POST, "\(Self.path)/\(PercentEncoding.encode(id))/rotate", body: Array(body),
            idempotencyKey: idempotencyKey)
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
        try await send(.POST, "/v1/verify", body: Array(try JSONEncoder().encode(members)), isChange: false)
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
                .failure,
                "the response is not in Keyward's format: check that the URL is that of its control listener")
        }
    }

    /// Sends a request, and returns the response if its status is a success.
    /// - Parameters:
    ///   - isChange: true if the request changes something; nil to decide by the method.
    ///   - timeout: the longest time until the whole response has arrived.
    func send(
        _ method: HTTPMethod, _ target: String, body: [UInt8]? = nil, idempotencyKey: String? = nil,
        version: Int64? = nil, isChange: Bool? = nil, timeout: TimeAmount = .seconds(60)
    ) async throws -> Answer {
        try await listener.withClient(
            read: max(.seconds(30), timeout), isChange: isChange ?? (method != .GET)
        ) { client in
            var request = request(method, target)
            if let body {
                request.headers.add(name: "Content-Type", value: "application/json")
                request.body = .bytes(ByteBuffer(bytes: body))
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
                next: response.headers.first(name: "Link").flatMap(Self.next), total: Total(response.headers))
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

    private struct ErrorBody: Decodable {
        struct Inner: Decodable {
            let message: String
            let code: String?
        }
        let error: Inner
    }

    static func refusal(_ status: HTTPResponseStatus, _ body: [UInt8], requestID: String? = nil) -> CommandError {
        guard let error = (try? JSONDecoder().decode(ErrorBody.self, from: Data(body)))?.error else {
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
