/// A pattern for request paths. A segment `*` matches any one segment; a last `**` matches any number, including none.
/// Patterns are written decoded, without percent-encoding, and a trailing slash is ignored.
public struct PathPattern: Sendable, Hashable {
    public static let lengthLimit = 512

    /// The pattern without a trailing slash.
    public let text: String

    public static let rule =
        "begin with /, have no empty, . or .. segments, none of % ? # ; \\, * only as a whole segment and ** only as the last"

    /// Returns nil unless the text follows the rule.
    public init?(_ raw: some StringProtocol) {
        guard raw.utf8.count <= Self.lengthLimit + 1 else { return nil }
        var text = String(raw)
        let slash = UInt8(ascii: "/")
        if text.utf8.count > 1, text.utf8.last == slash, text.utf8.dropLast().last != slash {
            text = String(text.unicodeScalars.dropLast())
        }
        guard text.utf8.first == slash, text.utf8.count <= Self.lengthLimit else { return nil }
        let isClean = text.unicodeScalars.allSatisfy { scalar in
            scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && !"%?#;\\".unicodeScalars.contains(scalar)
        }
        guard isClean else { return nil }
        // By scalars: a slash and an emoji modifier after it are one `Character`.
        let segments = text.unicodeScalars.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (number, segment) in segments.enumerated() {
            func isText(_ other: String) -> Bool { segment.elementsEqual(other.unicodeScalars) }
            let isRoot = segments.count == 1 && segment.isEmpty
            guard isRoot || !segment.isEmpty, !isText("."), !isText("..") else { return nil }
            guard !segment.contains("*") || isText("*") || isText("**") && number == segments.count - 1 else {
                return nil
            }
        }
        self.text = text
    }

    /// Returns true if a percent-encoded path, as `unambiguous` returns it, matches a pattern.
    package static func matches(_ pattern: UnsafeRawBufferPointer, _ path: UnsafeRawBufferPointer) -> Bool {
        let slash = UInt8(ascii: "/")
        var end = path.count
        // A target that is not a path (`*`, RFC 9112 section 3.2.4) matches only the pattern for everything. An empty
        // path is `/` (RFC 9110 section 4.2.3).
        guard end == 0 || path[0] == slash else { return pattern.elementsEqual("/**".utf8) }
        if end > 0, path[end - 1] == slash { end -= 1 }
        let patternEnd = pattern.count == 1 ? 0 : pattern.count
        let same = sameSegments(pattern, patternEnd, path, end)
        var (index, wanted) = (same, same)
        while wanted < patternEnd {
            // Both indexes are at the slash before a segment, or at the end.
            wanted += 1
            if pattern[wanted] == UInt8(ascii: "*") {
                if wanted + 1 < patternEnd, pattern[wanted + 1] == UInt8(ascii: "*") { return true }
                guard index < end else { return false }
                index += 1
                while index < end, path[index] != slash { index += 1 }
                wanted += 1
            } else {
                guard index < end else { return false }
                index += 1
                while wanted < patternEnd, pattern[wanted] != slash {
                    guard index < end else { return false }
                    // A pattern has no `%`.
                    if path[index] == pattern[wanted] {
                        index += 1
                    } else {
                        guard decoded(path, &index) == pattern[wanted] else { return false }
                    }
                    wanted += 1
                }
                guard index == end || path[index] == slash else { return false }
            }
        }
        return index == end
    }

    /// Returns the end, at a slash, of the segments that are equal byte for byte at the beginning of both. Compares
    /// eight bytes at a time.
    @inline(__always)
    private static func sameSegments(
        _ pattern: UnsafeRawBufferPointer, _ patternEnd: Int, _ path: UnsafeRawBufferPointer, _ end: Int
    ) -> Int {
        let limit = min(patternEnd, end)
        var same = 0
        while same + 8 <= limit {
            let difference =
                UInt64(littleEndian: pattern.loadUnaligned(fromByteOffset: same, as: UInt64.self))
                ^ UInt64(littleEndian: path.loadUnaligned(fromByteOffset: same, as: UInt64.self))
            guard difference == 0 else {
                same += difference.trailingZeroBitCount / 8
                break
            }
            same += 8
        }
        while same > 0, same >= limit || pattern[same] != UInt8(ascii: "/") || path[same] != pattern[same] { same -= 1 }
        return same
    }

    /// Returns the decoded byte at an index, and moves the index past it.
    static func decoded(_ path: UnsafeRawBufferPointer, _ index: inout Int) -> UInt8? {
        let byte = path[index]
        guard byte == UInt8(ascii: "%") else {
            index += 1
            return byte
        }
        guard index + 2 < path.count, let high = Hex.value(of: path[index + 1]),
            let low = Hex.value(of: path[index + 2])
        else { return nil }
        index += 3
        return high << 4 | low
    }
}
