/// Stream-Safe Text (UAX #15 section 13): text without a long run of non-starters, the characters that combine with the
/// previous one.
///
/// Normalization sorts such a run in quadratic time, and so does comparing, hashing and sorting Swift's strings. For
/// Stream-Safe Text they take linear time.
public enum StreamSafeText {
    /// The maximum number of consecutive non-starters.
    public static let limit = 30

    /// Returns true for Stream-Safe Text.
    public static func contains(_ text: String) -> Bool {
        var run = NonStarterRun()
        return text.unicodeScalars.allSatisfy { run.accepts($0) }
    }
}

/// The length of the current run of non-starters in a text that is read scalar by scalar.
struct NonStarterRun {
    private var length = 0

    /// Counts a scalar. Returns false if the run is too long.
    mutating func accepts(_ scalar: Unicode.Scalar) -> Bool {
        // No scalar before U+0300 is a non-starter.
        guard scalar.value >= 0x300 else {
            length = 0
            return true
        }
        let count = Self.nonStarters(in: scalar)
        length = count == 0 ? 0 : length + count
        return length <= StreamSafeText.limit
    }

    /// Returns the number of non-starters that a scalar consists of.
    private static func nonStarters(in scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        // The scalars that decompose into two non-starters (UAX #15 section 5.1, "Non-Starter Decompositions").
        case 0x0344, 0x0F73, 0x0F75, 0x0F81: 2
        default: scalar.properties.canonicalCombiningClass == .notReordered ? 0 : 1
        }
    }
}
