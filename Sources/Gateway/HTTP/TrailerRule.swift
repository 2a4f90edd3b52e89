/// The rule that selects the trailer fields to pass on (RFC 9110 section 6.5.1).
enum TrailerRule {
    /// Fields that are dangerous if a recipient merges them into the header section: content format, request modifiers,
    /// controls, cookies, authentication. `FieldKind` identifies fields that frame a message or belong to Keyward.
    private static let headerOnly: [StaticString] = [
        "cache-control", "content-encoding", "content-range", "content-type", "cookie", "expect", "if-match",
        "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "location", "max-forwards", "pragma",
        "range",
        "set-cookie", "trailer", "vary", "www-authenticate",
    ]

    static func passes(_ field: FieldLine, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard field.kind == .other else { return false }
        let name = bytes.part(field.name)
        return !headerOnly.contains { name.equals($0) }
    }
}
