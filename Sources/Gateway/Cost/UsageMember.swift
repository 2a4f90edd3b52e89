/// The member of a response's `usage` object that states the actual cost of a request.
public struct UsageMember: Sendable, Equatable {
    public static let rule = "the name of a member of usage, such as total_tokens: letters, digits, _ and -"

    let name: [UInt8]

    /// Returns nil unless the text has 1 to 64 letters, digits, `_` and `-`.
    public init?(_ text: String) {
        name = Array(text.utf8)
        let isName = name.allSatisfy { ByteClass.isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2D }
        guard isName, (1...64).contains(name.count) else { return nil }
    }
}
