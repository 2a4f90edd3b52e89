public import AuthKeys

/// The reason why an admin's request failed.
public enum AuthKeyError: Error, Sendable, Equatable {
    /// A member of the request breaks a rule; `message` states the rule, `param` names the member.
    case invalid(param: String?, message: String)
    /// No key has this id, which is quoted as the caller wrote it.
    case notFound(id: String)
    /// Neither the key nor its plan has a limit of this name.
    case limitNotFound(name: String)
    /// The caller is limited to one owner's keys, and the request concerns another owner.
    case otherOwner
    /// The request concerns the keys of all owners, and the caller is limited to an owner.
    case allOwners
    /// The caller lacks a permission.
    case permissionMissing(AdminPermission)
    /// The requested credential would outlive the key that the caller authenticated with.
    case outlivesAdmin
    /// The key has changed since the caller read it.
    case outdated
    /// The request conflicts with the current state.
    case conflict(Conflict)
    /// As many operations of this kind run on this instance as may run at a time, or `share` of them run for the admin,
    /// who may have no more.
    case tooMany(Concurrent, share: Int? = nil)
    /// The store failed. The repetition counts if the outcome of a change is unknown.
    case store(StoreError, Repetition = .harmless)

    public enum Conflict: Sendable, Equatable {
        /// This `Idempotency-Key` already created a key. Its secret was shown then and is not stored.
        case idempotencyReplayed(KeyID)
        /// This `Idempotency-Key` was used with another request before.
        case idempotencyKeyReused
        /// This `Idempotency-Key` already rotated the key. The secret was shown then and is not stored.
        case rotationReplayed(KeyID)
        /// Only a deactivated key can be deleted.
        case notDeactivated
        /// The key is deactivated or expired.
        case ended
        /// Another import is running on this instance.
        case importRunning
        /// Active keys name the plan.
        case planInUse
        /// The key has no credits to change.
        case withoutCredits
        /// No admin key could administer admin keys any more, or only until an expiry.
        case lastAdminCredential
    }

    /// A kind of operations whose number at a time is bounded.
    public enum Concurrent: String, Sendable {
        case searches, exports, tails, statistics
    }

    /// The effect of repeating a request whose outcome is unknown.
    public enum Repetition: Sendable, Equatable {
        /// The same state as after one request.
        case harmless
        /// The request has an `Idempotency-Key`, so a repetition with it has no second effect.
        case sameIdempotencyKey
        /// A second key, or a second secret.
        case duplicating
    }
}

/// Calls the store, whose error becomes an `AuthKeyError`.
/// - Parameter repetition: the effect of repeating the request.
func ask<R: Sendable>(
    repetition: AuthKeyError.Repetition = .harmless, _ call: @autoclosure () async throws(StoreError) -> R
) async throws(AuthKeyError) -> R {
    do { return try await call() } catch { throw .store(error, repetition) }
}
