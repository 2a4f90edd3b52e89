/// Which keys to list, in which order, and from where on.
public struct KeyQuery: Sendable, Equatable {
    /// A key's standing at the moment of the query.
    public enum Status: String, Sendable, CaseIterable {
        case active, disabled, deactivated, expired
    }

    /// How many at most.
    public var limit: Int
    public var order: KeyOrder
    /// The last key of the page before, in the same order.
    public var after: ListCursor?
    public var status: Status?
    /// Whether keys that are deactivated stay out, whatever else is asked for.
    public var leavesOutDeactivated: Bool
    /// Keys that are not deactivated and that end from now on, but not later than after this time.
    public var expiringWithin: Duration?
    /// Keys that were last used longer ago than this, or made longer ago and never used.
    public var unusedFor: Duration?
    public var owner: String?
    /// A label that the key has: its name, and its value unless any will do.
    public var label: Label?
    /// A scope that the key has, letter by letter.
    public var scope: String?
    /// What a secret that is good begins with, and its last four characters: those of one and the same.
    public var prefix: String?
    public var lastFour: String?
    /// Text that the name or the description contains, letters in either case; at the beginning of a word, if
    /// `isWordBeginning` says so.
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
        expiringWithin: Duration? = nil, unusedFor: Duration? = nil, owner: String? = nil, label: Label? = nil,
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
    /// What words of a name begin after, if not with it; and those of a description.
    public static let separatorsInNames = [" ", "-", "_", ".", "/"]
    public static let separatorsInDescriptions = [" "]

    /// Whether a text is looked for where words begin, and nowhere else: one of ASCII that begins with a letter or a digit and
    /// has no three of them in a row. No index tells what contains it; and who gives so little means what begins with it. Other
    /// scripts have words of two letters, and some no spaces between them.
    public static func isWordBeginning(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 < 0x80 }), let first = text.first, isWordly(first) else { return false }
        return text.split(whereSeparator: { !isWordly($0) }).allSatisfy { $0.count < 3 }
    }

    private static func isWordly(_ character: Character) -> Bool { character.isLetter || character.isNumber }
}

/// How many keys there are that a query finds, on all pages.
public struct KeyCount: Sendable, Equatable {
    /// Up to here a count is exact.
    public static let exactLimit = 10_000

    public let count: Int
    /// Otherwise it is an estimate.
    public let isExact: Bool

    public init(_ count: Int, isExact: Bool) {
        self.count = count
        self.isExact = isExact
    }
}
