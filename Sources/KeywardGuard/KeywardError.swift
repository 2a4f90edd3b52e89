/// Why keys cannot be verified in this process. One line for whoever started it; no secret is in it.
public struct KeywardError: Error, CustomStringConvertible {
    public enum Kind: Sendable {
        /// An option has a value that it does not take.
        case option
        /// The database cannot be reached, or does not let this role in.
        case database
        /// The tables are not there, or older or newer than this build can work with.
        case schema
        /// The role may not do what verification needs.
        case rights
    }

    public let kind: Kind
    public let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
