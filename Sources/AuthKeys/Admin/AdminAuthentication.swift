/// The result of presenting an admin credential.
public enum AdminAuthentication: Sendable, Equatable {
    /// The credential is valid.
    case valid(Admin)
    /// The credential belongs to an admin key that grants no access: it is `expired` or `inactive`.
    case refused(Admin, Refusal)
    /// The credential belongs to no admin key that is known.
    case unknown
}

extension AdminKey {
    /// Returns what presenting the key's secret results in at that moment.
    func authentication(at now: Timestamp) -> AdminAuthentication {
        if deactivatedAt != nil { return .refused(admin, .inactive) }
        return isActive(at: now) ? .valid(admin) : .refused(admin, .expired)
    }
}
