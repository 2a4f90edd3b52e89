/// The owners whose keys a caller may see: one owner, or all.
public struct OwnerScope: Sendable, Equatable {
    public static let all = OwnerScope(owner: nil)

    /// Nil for all owners.
    private let owner: String?

    /// - Parameter owner: nil for all owners.
    public init(owner: String?) {
        self.owner = owner
    }

    /// Returns true if keys of this owner may be seen. Owners are compared byte by byte, as PostgreSQL does. Swift's
    /// `==` also holds for canonically equivalent texts, such as `K` and the Kelvin sign.
    public func contains(_ other: String?) -> Bool {
        guard let owner else { return true }
        return other?.utf8.elementsEqual(owner.utf8) ?? false
    }
}
