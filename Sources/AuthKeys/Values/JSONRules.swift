/// The limits of a JSON text.
public struct JSONRules: Sendable {
    /// The maximum nesting of arrays and objects in a caller's text.
    public static let depthLimit = 32

    /// The maximum nesting of arrays and objects.
    public let depth: Int
    /// The maximum number of members and elements.
    public let values: Int
    /// The maximum length of a member's name, in bytes, with its escapes resolved.
    public let nameLength: Int
    /// The maximum length of a number in bytes.
    public let numberLength: Int
    /// True if an object may have members of the same name, and texts need not be Stream-Safe.
    let isLenient: Bool

    /// The rules for a caller's text.
    public static let received = JSONRules(
        depth: depthLimit, values: 2_560, nameLength: 256, numberLength: 100, isLenient: false)

    /// The rules for a stored text. Earlier versions stored texts under other rules, and the trail adds levels of its
    /// own.
    public static let kept = JSONRules(
        depth: depthLimit + 8, values: .max, nameLength: .max, numberLength: .max, isLenient: true)
}

/// A defect of a JSON text.
public struct JSONDefect: Error, Equatable {
    /// A step from a value to one that it contains.
    public enum Step: Equatable, Sendable {
        case member(String)
        /// Counted from 0.
        case element(Int)
    }

    public enum Kind: Equatable, Sendable {
        /// The bytes are not UTF-8, or begin with a byte order mark.
        case encoding
        /// The text does not follow the grammar of RFC 8259.
        case syntax
        case depth
        case valueCount
        case nameLength
        case numberLength
        /// The object already has a member of this name.
        case repeatedMember
        /// The name of a member, or a text, is not Stream-Safe (`StreamSafeText`).
        case nonStarters
    }

    public let kind: Kind
    /// The path to the defective value.
    public let path: [Step]
}

extension JSONDefect {
    /// True if the defect concerns the member at its path, and not the whole text.
    public var namesMember: Bool {
        switch kind {
        case .encoding, .syntax, .depth, .valueCount: false
        case .nameLength, .numberLength, .repeatedMember, .nonStarters: true
        }
    }

    /// The defect without its subject, which is the text or the member at the path.
    public var reason: String {
        let rules = JSONRules.received
        return switch kind {
        case .encoding: "is not valid JSON in UTF-8"
        case .syntax: "is not valid JSON"
        case .depth: "is nested more than \(rules.depth) levels deep"
        case .valueCount: "has more than \(rules.values) members and elements"
        case .nameLength: "has a name of more than \(rules.nameLength) bytes"
        case .numberLength: "has a number of more than \(rules.numberLength) bytes"
        case .repeatedMember: "is repeated"
        case .nonStarters: "has more than \(StreamSafeText.limit) combining characters in a row"
        }
    }

    /// The defect as a sentence about the text.
    public var message: String { kind == .repeatedMember ? "it has a repeated member" : "it \(reason)" }
}
