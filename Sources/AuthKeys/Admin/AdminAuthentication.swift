/// The result of presenting an admin credential.
public enum AdminAuthentication: Sendable, Equatable {
    /// The credential is valid.
    case valid(Admin)
    /// The credential belongs to an admin key that grants no access: it is `expired` or `inactive`.
    case refused(Admin, Refusal)
    /// No known admin key has this credential.
    case unknown
}

extension AdminKey {
    /// Returns the result of presenting the key's secret at that time.
    func authentication(at now: Timestamp) -> AdminAuthentication {
        if deactivatedAt != nil { return .refused(admin, .inactive) }
        return isActive(at: now) ? .valid(admin) : .refused(admin, .expired)
    }
}
