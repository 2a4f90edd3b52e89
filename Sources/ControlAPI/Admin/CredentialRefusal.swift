import AuthKeys
import KeyAdministration
import NIOCore

/// A refused admin credential.
struct CredentialRefusal: Error {
    /// The error that the caller gets.
    let error: APIError
    /// The admin whose credential was refused; nil if it is unknown.
    var admin: Admin?

    static let unknown = CredentialRefusal(
        error: .unauthorized(.unknown, message: "the admin key is not known"))

    /// The refusal of an admin key that is expired or inactive.
    static func ended(_ admin: Admin, _ refusal: Refusal) -> CredentialRefusal {
        let reason = refusal == .expired ? "has expired" : "is not active"
        return CredentialRefusal(
            error: .unauthorized(refusal, message: "the admin key \(reason)"), admin: admin)
    }

    /// Counts a failed attempt, if the credential is unknown. Returns the refusal that the caller gets.
    /// - Parameter attempts: the failed attempts of each network; nil for no limit.
    func counted(
        in attempts: FailedAttempts?, from context: ControlContext
    ) -> CredentialRefusal {
        guard let attempts, error == Self.unknown.error,
            let peer = context.channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) }),
            let seconds = attempts.count(from: peer)
        else { return self }
        return CredentialRefusal(error: .tooManyFailedAttempts(retryAfter: seconds))
    }
}

extension AdminAuthentication {
    /// Returns the admin whose credential is valid.
    func admin() throws(CredentialRefusal) -> Admin {
        switch self {
        case .valid(let admin): return admin
        case .refused(let admin, let refusal): throw .ended(admin, refusal)
        case .unknown: throw .unknown
        }
    }
}
