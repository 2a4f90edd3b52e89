/// A line of the request log. All members are present; those without a value are null.
package struct RequestJSON: Codable, Sendable {
    package let at: String
    package let requestID: String
    package var keyID: String?
    package var keyName: String?
    package var owner: String?
    package let method: String
    package let path: String
    package var query: String?
    package let status: Int
    package var code: String?
    package var outcome: String?
    /// In milliseconds, with fractions.
    package let duration: Double
    package var upstreamDuration: Double?
    package let bytesIn: Int64
    package let bytesOut: Int64
    package var clientIP: String?
    package var userAgent: String?
    package var upstream: String?
    package var surface: String?
    package var instance: String?
    package let flags: [String]
    package let weight: Int

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case at, owner, method, path, query, status, code, outcome, upstream, surface, instance, flags, weight
        case requestID = "request_id"
        case keyID = "auth_key_id"
        case keyName = "key_name"
        case duration = "duration_ms"
        case upstreamDuration = "upstream_ms"
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case clientIP = "client_ip"
        case userAgent = "user_agent"
    }

    package init(
        at: String, requestID: String, method: String, path: String, status: Int, duration: Double, bytesIn: Int64,
        bytesOut: Int64, flags: [String], weight: Int
    ) {
        self.at = at
        self.requestID = requestID
        self.method = method
        self.path = path
        self.status = status
        self.duration = duration
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
        self.flags = flags
        self.weight = weight
    }

    /// Encodes members without a value as null, which the synthesized method would omit.
    package func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(at, forKey: .at)
        try members.encode(requestID, forKey: .requestID)
        try members.encode(keyID, forKey: .keyID)
        try members.encode(keyName, forKey: .keyName)
        try members.encode(owner, forKey: .owner)
        try members.encode(method, forKey: .method)
        try members.encode(path, forKey: .path)
        try members.encode(query, forKey: .query)
        try members.encode(status, forKey: .status)
        try members.encode(code, forKey: .code)
        try members.encode(outcome, forKey: .outcome)
        try members.encode(duration, forKey: .duration)
        try members.encode(upstreamDuration, forKey: .upstreamDuration)
        try members.encode(bytesIn, forKey: .bytesIn)
        try members.encode(bytesOut, forKey: .bytesOut)
        try members.encode(clientIP, forKey: .clientIP)
        try members.encode(userAgent, forKey: .userAgent)
        try members.encode(upstream, forKey: .upstream)
        try members.encode(surface, forKey: .surface)
        try members.encode(instance, forKey: .instance)
        try members.encode(flags, forKey: .flags)
        try members.encode(weight, forKey: .weight)
    }
}
