/// Which fields may stand in a trailer section and are passed on (RFC 9110 section 6.5.1).
enum TrailerRule {
    /// Fields that a recipient might merge into the header section to somebody's harm: content format, request modifiers,
    /// controls, cookies, authentication. What frames a message, or is Keyward's own, `FieldKind` tells.
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
