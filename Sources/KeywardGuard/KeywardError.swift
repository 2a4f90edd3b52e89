/// The reason why this process cannot verify keys, in one line for the operator. It contains no secret.
public struct KeywardError: Error, CustomStringConvertible {
    public enum Kind: Sendable {
        /// An option has an invalid value.
        case option
        /// The database cannot be reached, or refuses the role.
        case database
        /// The tables are missing, or are too old or too new for this build.
        case schema
        /// The role lacks a right that verification needs.
        case rights
    }

    public let kind: Kind
    public let description: String

    package init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
