public import AuthKeys
public import HTTPTypes

/// A key that a test issued, and its secret.
public struct TestKey: Sendable {
    public let id: KeyID
    /// What a client sends.
    public let token: String
    let digest: SecretDigest

    /// The token in `Authorization`, for a client of HummingbirdTesting.
    public var headers: HTTPFields { [.authorization: "Bearer \(token)"] }
}
