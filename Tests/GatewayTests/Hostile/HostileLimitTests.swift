import Testing

/// Heads at the limits, and one beyond each.
@Suite("Limits of heads") struct HostileLimitTests {
    /// The number of characters of a token with the standard prefix, which replaces `{key}`.
    private static let tokenLength = 52
    private static let start = "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n"

    private static func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

    /// Returns a head of `count` bytes in total with one long field, and the line of that field.
    private static func sized(_ count: Int) -> (head: String, field: String) {
        let rest = start.utf8.count - "{key}".utf8.count + tokenLength + "X-A: \r\n\r\n".utf8.count
        let field = "X-A: \(letters(count - rest))\r\n"
        return ("\(start)\(field)\r\n", field)
    }

    private static func target(_ count: Int) -> HostileCase {
        let target = "/\(letters(count - 1))"
        let bytes = start.replacing("/p", with: target) + "\r\n"
        return count > 8_192
            ? .refused("a target of \(count) bytes", bytes, 414)
            : .passes("a target of \(count) bytes", bytes, as: "GET \(target)")
    }

    /// Host and key are fields too.
    private static func fields(_ count: Int) -> HostileCase {
        let fields = String(repeating: "X:1\r\n", count: count - 2)
        return count > 100
            ? .refused("\(count) fields", "\(start)\(fields)\r\n", 431)
            : .passes("\(count) fields", "\(start)\(fields)\r\n", as: "GET /p", fields)
    }

    private static func named(_ count: Int) -> HostileCase {
        let field = "Connection: \((0..<count).map { "x-\($0)" }.joined(separator: ","))\r\n"
        return count > 32
            ? .refused("\(count) names in Connection", "\(start)\(field)\r\n")
            : .passes("\(count) names in Connection", "\(start)\(field)\r\n", as: "GET /p")
    }

    static let cases: [HostileCase] = [
        target(8_191), target(8_192), target(8_193), target(20_000), fields(99), fields(100), fields(101),
        fields(2_000),
        named(31), named(32), named(33), named(500),
        .passes("a head of 32768 bytes", sized(32_768).head, as: "GET /p", sized(32_768).field),
        .refused("a head of 32769 bytes", sized(32_769).head, 431),
        .refused("a head of 40000 bytes", sized(40_000).head, 431),
        .refused("a field without end", "\(start)X-A: \(letters(32_768))", 431),
        .refused("a name without end", "\(start)\(letters(32_768))", 431),
        .refused("a target without end", "GET /\(letters(32_768))", 414),
        .refused("a method without end", letters(32_768), 414),
        .refused("nothing but line ends", String(repeating: "\r\n", count: 100)),
        .refused(
            "an absolute target beyond the limit", start.replacing("/p", with: "http://a/\(letters(8_184))") + "\r\n",
            414),
        .refused(
            "a long key", "GET /p HTTP/1.1\r\nHost: a\r\nX-API-Key: \(letters(30_000))\r\n\r\n", 401, "key_malformed",
            kept: true),
        .refused("a long Host", "GET /p HTTP/1.1\r\nHost: \(letters(40_000))\r\nX-API-Key: {key}\r\n\r\n", 431),
    ]

    @Test("a head is accepted up to its limits and refused beyond", arguments: cases)
    func limits(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
