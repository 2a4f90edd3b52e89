import HTTPTypes

/// Where a request may carry its key: `Authorization: Bearer <token>` (RFC 6750 section 2.1) or `X-API-Key: <token>`.
enum RequestCredential {
    /// The token; nil when there is none. Throws when it is not clear which one counts.
    static func token(in headers: HTTPFields) throws(KeyVerificationError) -> String? {
        let authorization = headers[values: .authorization]
        let apiKey = HTTPField.Name("x-api-key").map { headers[values: $0] } ?? []
        guard authorization.count <= 1, apiKey.count <= 1 else { throw .ambiguous }
        let bearer = authorization.first.flatMap(bearerToken)
        if let bearer, let apiKey = apiKey.first, bearer != apiKey { throw .ambiguous }
        return bearer ?? apiKey.first
    }

    private static func bearerToken(_ value: String) -> String? {
        guard value.prefix(7).lowercased() == "bearer " else { return nil }
        return String(value.dropFirst(7).drop { $0 == " " })
    }
}
