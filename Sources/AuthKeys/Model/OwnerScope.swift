/// The owners whose keys a caller may see: one owner and all below it, or all.
public struct OwnerScope: Sendable, Equatable {
    public static let all = OwnerScope(owner: nil)

    /// Nil for all owners.
    public let owner: String?

    /// - Parameter owner: nil for all owners.
    public init(owner: String?) {
        self.owner = owner
    }

    /// Returns true if keys of this owner may be seen.
    public func contains(_ other: String?) -> Bool {
        guard let owner else { return true }
        return other.map { OwnerPath.contains(owner, $0) } ?? false
    }
}
