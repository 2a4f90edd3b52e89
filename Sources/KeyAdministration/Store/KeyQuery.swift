public import AuthKeys

/// The filter, order and start of a list of keys.
public struct KeyQuery: Sendable, Equatable {
    /// The status of a key at the time of the query.
    public enum Status: String, Sendable, CaseIterable {
        case active, disabled, deactivated, expired
    }

    /// The maximum number of keys.
    public var limit: Int
    public var order: KeyOrder
    /// The last key of the previous page, in the same order.
    public var after: ListCursor?
    public var status: Status?
    /// True to exclude deactivated keys, whatever the other filters.
    public var leavesOutDeactivated: Bool
    /// Matches keys that are not deactivated and expire within this time.
    public var expiringWithin: Duration?
    /// Matches keys whose last use, or creation if never used, is longer ago than this.
    public var unusedFor: Duration?
    public var owner: OwnerFilter?
    /// Matches keys with a label of this name, and of this value unless nil.
    public var label: Label?
    /// Matches keys with exactly this scope.
    public var scope: String?
    /// The beginning and the last four characters of a valid secret; both apply to the same secret.
    public var prefix: String?
    public var lastFour: String?
    /// Text in the name or the description, case-insensitive; at the beginning of a word if `isWordBeginning` returns
    /// true.
    public var text: String?

    public struct Label: Sendable, Equatable {
        public var name: String
        public var value: String?

        public init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    public init(
        limit: Int = 100, order: KeyOrder = .newestFirst, after: ListCursor? = nil, status: Status? = nil,
        leavesOutDeactivated: Bool = false,
        expiringWithin: Duration? = nil, unusedFor: Duration? = nil, owner: OwnerFilter? = nil, label: Label? = nil,
        scope: String? = nil, prefix: String? = nil, lastFour: String? = nil, text: String? = nil
    ) {
        self.limit = limit
        self.order = order
        self.after = after
        self.status = status
        self.leavesOutDeactivated = leavesOutDeactivated
        self.expiringWithin = expiringWithin
        self.unusedFor = unusedFor
        self.owner = owner
        self.label = label
        self.scope = scope
        self.prefix = prefix
        self.lastFour = lastFour
        self.text = text
    }
}

extension KeyQuery {
    /// The characters after which words of a name begin, and those of a description.
    public static let separatorsInNames = [" ", "-", "_", ".", "/"]
    public static let separatorsInDescriptions = [" "]

    /// Returns true if a text is searched only at word beginnings: ASCII that begins with a letter or a digit and has
    /// no three of them in a row. No index finds such short texts inside words, and they usually abbreviate a
    /// beginning. Other scripts have words of two letters, and some have no spaces.
    public static func isWordBeginning(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 < 0x80 }), let first = text.first, isWordly(first) else { return false }
        return text.split(whereSeparator: { !isWordly($0) }).allSatisfy { $0.count < 3 }
    }

    private static func isWordly(_ character: Character) -> Bool { character.isLetter || character.isNumber }
}

/// The number of keys on all pages of a query.
public struct KeyCount: Sendable, Equatable {
    /// The limit up to which a count is exact.
    public static let exactLimit = 10_000

    public let count: Int
    /// False if the count is an estimate.
    public let isExact: Bool

    public init(_ count: Int, isExact: Bool) {
        self.count = count
        self.isExact = isExact
    }
}
