/// The order of a list of keys. Keys with equal values follow each other by id, in the same direction; those created at
/// the same moment by name first.
public struct KeyOrder: Sendable, Hashable {
    public enum Field: String, Sendable, CaseIterable {
        case created, name, expires
        case lastUsed = "last_used"
    }

    public var field: Field
    /// True for the latest moment first, or the last name first. A missing moment (never used, no expiry) counts as
    /// earliest use or latest expiry.
    public var isDescending: Bool

    public init(_ field: Field, descending: Bool = false) {
        self.field = field
        isDescending = descending
    }

    public static let newestFirst = KeyOrder(.created, descending: true)

    public static let all = Field.allCases.flatMap { [KeyOrder($0), KeyOrder($0, descending: true)] }

    /// True if the order is the exact reverse of the field's natural one: newest first, by name, last used first,
    /// soonest expiry first.
    public var isReversed: Bool {
        switch field {
        case .created, .lastUsed: !isDescending
        case .name, .expires: isDescending
        }
    }
}

extension KeyOrder: LosslessStringConvertible {
    /// Parses `created` or `-created`.
    public init?(_ description: String) {
        let isDescending = description.hasPrefix("-")
        guard let field = Field(rawValue: String(description.dropFirst(isDescending ? 1 : 0))) else { return nil }
        self.init(field, descending: isDescending)
    }

    public var description: String { (isDescending ? "-" : "") + field.rawValue }
}
