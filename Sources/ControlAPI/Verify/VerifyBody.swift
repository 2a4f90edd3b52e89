import AuthKeys
import HTTPCredentials
import NIOCore

/// The body of `POST /v1/verify`: a key, and the attributes of the request that it came with.
struct VerifyBody: Decodable {
    let request: IncomingRequest

    enum CodingKeys: String, CodingKey, CaseIterable {
        case key, method, path, ip, scopes, cost
        case userAgent = "user_agent"
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        var values = Values(key: try members.decode(String.self, forKey: .key))
        values.method = try members.decodeIfPresent(String.self, forKey: .method)
        values.path = try members.decodeIfPresent(String.self, forKey: .path)
        values.ip = try members.decodeIfPresent(String.self, forKey: .ip)
        values.scopes = try members.decodeIfPresent([String].self, forKey: .scopes)
        values.cost = try members.wholeNumber(forKey: .cost)
        values.agent = try members.decodeIfPresent(String.self, forKey: .userAgent)
        let (member, reason): (CodingKeys, String)
        do throws(DescribedRequest.Fault) {
            self = try VerifyBody(values)
            guard let cost = values.cost, cost < 0 else { return }
            (member, reason) = (.cost, "must be at least 0")
        } catch {
            member =
                switch error.part {
                case .address: .ip
                case .path: .path
                case .scopes: .scopes
                }
            reason = error.reason
        }
        let name = decoder.member(member)
        throw APIError.validation("\(name) \(reason)", param: name)
    }

    /// Reads a body in the plain form that most callers send, in a fraction of the time. Nil for any other form, and
    /// for an invalid body.
    init?(plain body: ByteBuffer) {
        var values = Values()
        var seen: [CodingKeys] = []
        let isPlain = PlainJSON.forEachMember(of: body) { name, value in
            guard let member = CodingKeys(rawValue: name), !seen.contains(member) else { return false }
            seen.append(member)
            switch (member, value) {
            case (.key, .string(let text)): values.key = text
            case (.method, .string(let text)): values.method = text
            case (.path, .string(let text)): values.path = text
            case (.ip, .string(let text)): values.ip = text
            case (.userAgent, .string(let text)): values.agent = text
            case (.scopes, .strings(let texts)): values.scopes = texts
            default: return false
            }
            return true
        }
        guard isPlain, seen.contains(.key), let read = try? VerifyBody(values) else { return nil }
        self = read
    }

    /// The values of the members.
    private struct Values {
        var key = ""
        var method: String?
        var path: String?
        var ip: String?
        var scopes: [String]?
        var cost: Int64?
        var agent: String?
    }

    private init(_ values: Values) throws(DescribedRequest.Fault) {
        var address: IPAddress?
        if let text = values.ip { address = try DescribedRequest.address(text) }
        request = IncomingRequest(
            credential: .token(values.key), method: values.method ?? "", path: try DescribedRequest.path(values.path),
            address: address, agent: values.agent,
            scopes: try DescribedRequest.scopes(values.scopes ?? [], isList: true))
    }
}

/// The body of `POST /v1/verify/batch`.
struct VerifyBatchBody: Decodable {
    static let limit = 100

    let requests: [VerifyBody]

    enum CodingKeys: CodingKey, CaseIterable {
        case requests
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        requests = try decoder.container(keyedBy: CodingKeys.self).decode([VerifyBody].self, forKey: .requests)
        guard (1...Self.limit).contains(requests.count) else {
            throw APIError.validation("requests must have 1 to \(Self.limit) elements", param: "requests")
        }
    }
}
