/// What a list of keys is ordered by. Keys that are alike in it follow one another by id, up or down as the rest does; those
/// made at the same moment by name before that.
public struct KeyOrder: Sendable, Hashable {
    public enum Field: String, Sendable, CaseIterable {
        case created, name, expires
        case lastUsed = "last_used"
    }

    public var field: Field
    /// The latest moment first, or the last name. What has no moment (never used, no end) is the last to be used, and to end.
    public var isDescending: Bool

    public init(_ field: Field, descending: Bool = false) {
        self.field = field
        isDescending = descending
    }

    public static let newestFirst = KeyOrder(.created, descending: true)

    public static let all = Field.allCases.flatMap { [KeyOrder($0), KeyOrder($0, descending: true)] }

    /// Whether it is the exact reverse of the order that it is told by: newest first, by name, last used first, soonest end
    /// first.
    public var isReversed: Bool {
        switch field {
        case .created, .lastUsed: !isDescending
        case .name, .expires: isDescending
        }
    }
}

extension KeyOrder: LosslessStringConvertible {
    /// Reads `created` or `-created`.
    public init?(_ description: String) {
        let isDescending = description.hasPrefix("-")
        guard let field = Field(rawValue: String(description.dropFirst(isDescending ? 1 : 0))) else { return nil }
        self.init(field, descending: isDescending)
    }

    public var description: String { (isDescending ? "-" : "") + field.rawValue }
}
