import AuthKeys

/// The body of `POST /v1/verify`: a key, and what somebody wants to do with it.
struct VerifyBody: Decodable {
    let key: String
    let request: RequestVerifier.Incoming

    enum CodingKeys: String, CodingKey, CaseIterable {
        case key, method, path, ip, scopes, cost
        case userAgent = "user_agent"
    }

    init(from decoder: any Decoder) throws {
        try decoder.refuseMembers(beyond: CodingKeys.self)
        let members = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ name: CodingKeys) throws -> String? { try members.decodeIfPresent(String.self, forKey: name) }
        func fault(_ name: CodingKeys, _ reason: String) -> APIError {
            let member = decoder.member(name)
            return .validation("\(member) \(reason)", param: member)
        }
        key = try members.decode(String.self, forKey: .key)
        var address: IPAddress?
        if let text = try text(.ip) {
            guard let known = IPAddress(text) else {
                throw fault(.ip, "must be an address of IPv4 or IPv6")
            }
            address = known
        }
        let path = try text(.path) ?? ""
        guard path.isEmpty || path == "*" || path.utf8.first == UInt8(ascii: "/") else {
            throw fault(.path, "must begin with /")
        }
        let scopes = try members.decodeIfPresent([String].self, forKey: .scopes) ?? []
        guard let needed = ScopeRequirement(scopes) else {
            throw fault(.scopes, "takes scopes without wildcards")
        }
        if let cost = try members.wholeNumber(forKey: .cost), cost < 0 {
            throw fault(.cost, "must be at least 0")
        }
        request = RequestVerifier.Incoming(
            method: try text(.method) ?? "", path: path, address: address, agent: try text(.userAgent), scopes: needed)
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
            throw APIError.validation("requests takes 1 to \(Self.limit)", param: "requests")
        }
    }
}
