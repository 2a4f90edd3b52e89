import AuthKeys
import HTTPCredentials
import NIOCore

/// The body of `POST /v1/verify`: a key, and the attributes of the request that it came with.
struct VerifyBody: Decodable {
    let request: IncomingRequest

    enum CodingKeys: String, CodingKey, CaseIterable {
        case key, method, path, ip, scopes, cost, limits
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
        values.limits = try members.decodeIfPresent([AskedLimitBody].self, forKey: .limits)?.map(\.limit) ?? []
        values.agent = try members.decodeIfPresent(String.self, forKey: .userAgent)
        let (member, reason): (CodingKeys, String)
        do throws(DescribedRequest.Fault) {
            self = try VerifyBody(values)
            return
        } catch {
            member =
                switch error.part {
                case .address: .ip
                case .path: .path
                case .scopes: .scopes
                case .cost: .cost
                case .limits: .limits
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
        var limits: [Spending.Asked] = []
        var agent: String?
    }

    private init(_ values: Values) throws(DescribedRequest.Fault) {
        var address: IPAddress?
        if let text = values.ip { address = try DescribedRequest.address(text) }
        request = IncomingRequest(
            credential: .token(values.key), method: values.method ?? "", path: try DescribedRequest.path(values.path),
            address: address, agent: values.agent,
            scopes: try DescribedRequest.scopes(values.scopes ?? [], isList: true),
            spending: try DescribedRequest.spending(values.cost, limits: values.limits))
    }
}

/// A limit that a request names, and the units that it takes from it.
private struct AskedLimitBody: Decodable {
    let limit: Spending.Asked

    enum CodingKeys: CodingKey, CaseIterable {
        case name, cost
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        let name = try members.decode(String.self, forKey: .name)
        let cost = try members.wholeNumber(forKey: .cost) ?? 1
        guard LimitRule.isName(name) else {
            let param = decoder.member(CodingKeys.name)
            throw APIError.validation("\(param) must be the name of a limit", param: param)
        }
        guard let limit = Spending.Asked(name, cost: cost) else {
            let param = decoder.member(CodingKeys.cost)
            throw APIError.validation("\(param) must be 0 to \(LimitRule.unitLimit)", param: param)
        }
        self.limit = limit
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
