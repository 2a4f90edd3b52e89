/// Finds the known name that a caller most likely meant.
public enum NearestName {
    /// The maximum length of a compared name in bytes; a longer one has no near name.
    private static let lengthLimit = 64
    /// The minimum length in bytes of a name that counts as a part of another.
    private static let partLength = 4

    /// Returns the known name that is nearest to an unknown one; nil if none is near.
    ///
    /// A name is near if at most a third of it has to be edited, or if one of the two is a part of the other. Case, `_`
    /// and `-` do not count.
    public static func of(_ name: String, among known: [String]) -> String? {
        let given = folded(name)
        guard (1...lengthLimit).contains(given.count) else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in known {
            let wanted = folded(candidate)
            guard wanted.count <= lengthLimit else { continue }
            let distance = editDistance(given, wanted)
            let isNear =
                distance * 3 <= max(given.count, wanted.count) || isPart(given, of: wanted) || isPart(wanted, of: given)
            if isNear, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Returns the first bytes of a name in lower case, without `_` and `-`; one more than the comparison needs.
    private static func folded(_ name: String) -> [UInt8] {
        name.utf8.lazy.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
            .prefix(lengthLimit + 1)
            .map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }

    private static func isPart(_ part: [UInt8], of whole: [UInt8]) -> Bool {
        guard part.count >= partLength, part.count <= whole.count else { return false }
        return (0...whole.count - part.count).contains { whole[$0...].starts(with: part) }
    }

    /// Returns the number of bytes to insert, delete or replace (Levenshtein distance).
    private static func editDistance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var row = Array(0...second.count)
        for (line, byte) in first.enumerated() {
            var diagonal = row[0]
            row[0] = line + 1
            for (column, other) in second.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
            }
        }
        return row[second.count]
    }
}
