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
    /// The database cannot be used now; nothing is known of whether a change was made.
    case unavailable
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

    public init(_ error: StoreError) {
        switch error.kind {
        case .unavailable: self = .unavailable
        case .conflict: self = .conflict(.duplicate)
        case .failed: self = .failed(detail: error.detail)
        }
    }
}
