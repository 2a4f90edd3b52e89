/// Which keys to list, and from where on.
public struct KeyQuery: Sendable, Equatable {
    /// A key's standing at the moment of the query.
    public enum Status: String, Sendable, CaseIterable {
        case active, disabled, deactivated, expired
    }

    /// How many at most.
    public var limit: Int
    /// The last key of the page before.
    public var after: ListCursor?
    public var status: Status?
    public var owner: String?
    /// A label that the key has: its name, and its value unless any will do.
    public var label: Label?
    /// Text that the name or the description contains, letters in either case.
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
        limit: Int = 100, after: ListCursor? = nil, status: Status? = nil, owner: String? = nil, label: Label? = nil,
        text: String? = nil
    ) {
        self.limit = limit
        self.after = after
        self.status = status
        self.owner = owner
        self.label = label
        self.text = text
    }
}
