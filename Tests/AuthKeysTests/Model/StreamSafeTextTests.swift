import TestSupport
import Testing

@testable import AuthKeys

@Suite("Stream-Safe Text")
struct StreamSafeTextTests {
    @Test("30 non-starters in a row are accepted, and 31 are not")
    func limit() {
        let marks = String(repeating: "\u{300}\u{316}", count: 15)
        #expect(StreamSafeText.contains("a" + marks))
        #expect(StreamSafeText.contains("a" + marks + "b" + marks))
        #expect(!StreamSafeText.contains("a" + marks + "\u{300}"))
        #expect(!StreamSafeText.contains(String(repeating: "\u{0F73}", count: 16)))
    }

    /// Texts of the slowest characters that Stream-Safe Text may contain.
    private static let worst: [(name: String, unit: String)] = [
        ("marks in the wrong order", "a" + String(repeating: "\u{315}\u{300}\u{316}", count: 10)),
        ("regional indicators", "\u{1F1E6}"), ("joined emoji", "\u{1F468}\u{200D}"), ("Hangul vowels", "\u{1161}"),
        ("Hangul syllables", "\u{1100}\u{1161}\u{11A8}"), ("Indic conjuncts", "\u{0915}\u{094D}"),
        ("variation selectors", "\u{FE0F}"), ("composed letters", "\u{1F82}"), ("joiners", "\u{200D}"),
    ]

    @Test("comparing and hashing take linear time")
    func linear() {
        for (name, unit) in Self.worst {
            let (short, long) = (Self.text(unit, 4_000), Self.text(unit, 32_000))
            for (operation, body) in Self.operations {
                let (few, many) = (CPUTime.least { body(short) }, CPUTime.least { body(long) })
                // Eight times the bytes; 64 times the time would be quadratic.
                #expect(many < max(few * 24, .milliseconds(2)), "\(operation) of \(name): \(few), \(many)")
            }
        }
    }

    private static let operations: [(String, @Sendable (String) -> Void)] = [
        ("==", { _ = $0 + "a" == $0 + "b" }), ("hash", { _ = $0.hashValue }), ("<", { _ = $0 + "a" < $0 + "b" }),
        ("count", { _ = $0.count }), ("lowercased", { _ = $0.lowercased() }),
    ]

    private static func text(_ unit: String, _ bytes: Int) -> String {
        String(repeating: unit, count: bytes / unit.utf8.count)
    }
}
