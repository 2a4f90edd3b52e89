/// Why an admin's request was not carried out.
public enum AuthKeyError: Error, Sendable, Equatable {
    /// A member of the request breaks a rule; `message` says which, `param` names the member.
    case invalid(param: String?, message: String)
    /// There is no key with this id, as the caller wrote it.
    case notFound(id: String)
    /// The caller may only have to do with keys of one owner, and these would be another's.
    case otherOwner
    /// The caller lacks a permission.
    case permissionMissing(AdminPermission)
    /// What the caller gives would last longer than the key it comes with.
    case outlivesAdmin
    /// The key was changed since the caller saw it.
    case outdated
    /// The request contradicts what was done before.
    case conflict(Conflict)
    /// The database cannot be used now, and no change was made; the detail is for logs.
    case unavailable(detail: String)
    /// The change was sent and not confirmed: it may have been carried out, or may still be; the detail is for logs.
    case outcomeUnknown(Repetition, detail: String)
    /// A fault of ours; the detail is for logs.
    case failed(detail: String)

    public enum Conflict: Sendable, Equatable {
        /// This `Idempotency-Key` made a key already, whose secret was shown then and is not kept.
        case idempotencyReplayed(KeyID)
        /// This `Idempotency-Key` came with another request before.
        case idempotencyKeyReused
        /// This `Idempotency-Key` carried a rotation out already, whose secret was shown then and is not kept.
        case rotationReplayed(KeyID)
        /// A key with this secret or id exists.
        case duplicate
        /// Only a deactivated key can be deleted.
        case notDeactivated
        /// The key is deactivated or expired.
        case ended
        /// Another import is under way here.
        case importRunning
        /// Nobody could administer admin keys any more, or only until an expiry.
        case lastAdminCredential
    }

    /// The effect of sending a request again whose outcome is not known.
    public enum Repetition: Sendable, Equatable {
        /// The same state as after one request.
        case harmless
        /// With the same `Idempotency-Key`, which the request had, it is carried out once.
        case sameIdempotencyKey
        /// A second key, or a second secret.
        case duplicating
    }

    /// - Parameter repetition: the effect of sending the request again.
    public init(_ error: StoreError, repetition: Repetition = .harmless) {
        switch error.kind {
        case .unavailable: self = .unavailable(detail: error.detail)
        case .outcomeUnknown: self = .outcomeUnknown(repetition, detail: error.detail)
        case .conflict: self = .conflict(.duplicate)
        case .failed: self = .failed(detail: error.detail)
        }
    }
}
