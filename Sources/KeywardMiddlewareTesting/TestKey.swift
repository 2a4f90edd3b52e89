public import AuthKeys
public import HTTPTypes

/// A key that a test issued, with its secret.
public struct TestKey: Sendable {
    public let id: KeyID
    /// The token that a client sends.
    public let token: String
    let digest: SecretDigest

    /// The header fields with the token in `Authorization`, for a client of HummingbirdTesting.
    public var headers: HTTPFields { [.authorization: "Bearer \(token)"] }
}
