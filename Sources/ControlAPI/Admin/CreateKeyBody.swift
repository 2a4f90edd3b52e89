import AuthKeys

/// The body of `POST /admin/api/v1/auth-keys`. Unknown members are ignored; null is as good as absent.
struct CreateKeyBody: Decodable {
    let name: String?
    let description: String?
    let owner: String?
    let scopes: [String]?
    let expiresAt: String?
    let prefix: String?

    enum CodingKeys: String, CodingKey {
        case name, description, owner, scopes, prefix
        case expiresAt = "expires_at"
    }

    /// The request for the domain, which checks what is in it.
    func request(idempotencyKey: String?) throws(APIError) -> KeyRequest {
        KeyRequest(
            name: name ?? "", description: description ?? "", owner: owner, scopes: scopes ?? [],
            expiresAt: try moment(expiresAt, param: "expires_at"), prefix: prefix, idempotencyKey: idempotencyKey)
    }

    /// An empty text is no moment, as in the origin system.
    private func moment(_ text: String?, param: String) throws(APIError) -> Timestamp? {
        guard let text, !text.isEmpty else { return nil }
        do {
            return try Timestamp(rfc3339: text)
        } catch {
            switch error {
            case .syntax:
                throw .validation(
                    "\(param) must be an RFC 3339 date and time with a zone, such as 2030-01-31T12:00:00Z", param: param
                )
            case .noSuchMoment: throw .validation("\(param) is not a date and time that exists", param: param)
            }
        }
    }
}
