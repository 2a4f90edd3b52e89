/// The media types that a client accepts (RFC 9110 section 12.5.1), as far as errors depend on them.
public struct AcceptedTypes: Sendable {
    /// The quality of a type in thousandths, the specificity of the range that names it, and the offset of that range.
    private struct Choice {
        var quality = 0
        var specificity = -1
        var offset = Int.max
    }

    private var problem = Choice()
    private var json = Choice()
    private var offset = 0

    public init() {}

    /// True if the client names `application/problem+json`, and prefers it to `application/json`. Of two equal ones,
    /// the client prefers the one that it names first.
    public var prefersProblem: Bool {
        problem.specificity == 2 && problem.quality > 0
            && (problem.quality, -problem.offset) > (json.quality, -json.offset)
    }

    /// Adds a value of `Accept`.
    public mutating func add(_ value: UnsafeRawBufferPointer) {
        for range in value.split(separator: UInt8(ascii: ",")) {
            offset += 1
            var parts = range.split(separator: UInt8(ascii: ";")).makeIterator()
            guard let type = parts.next().map(Self.trimmed) else { continue }
            var quality = 1_000
            while let part = parts.next().map(Self.trimmed) {
                if part.count > 2, part.first.map({ $0 | 0x20 }) == UInt8(ascii: "q"), part.dropFirst().first == 0x3D {
                    quality = Self.quality(part.dropFirst(2))
                }
            }
            note(type, "application/problem+json", quality, &problem)
            note(type, "application/json", quality, &json)
        }
    }

    private func note(
        _ range: Slice<UnsafeRawBufferPointer>, _ type: StaticString, _ quality: Int, _ choice: inout Choice
    ) {
        let specificity =
            Self.equals(range, type) ? 2 : Self.equals(range, "application/*") ? 1 : Self.equals(range, "*/*") ? 0 : -1
        if specificity > choice.specificity {
            choice = Choice(quality: quality, specificity: specificity, offset: offset)
        }
    }

    private static func equals(_ text: Slice<UnsafeRawBufferPointer>, _ type: StaticString) -> Bool {
        text.count == type.utf8CodeUnitCount
            && zip(text, UnsafeBufferPointer(start: type.utf8Start, count: type.utf8CodeUnitCount))
                .allSatisfy { ($0 &- 0x41 <= 25 ? $0 | 0x20 : $0) == $1 }
    }

    /// Reads `qvalue` (RFC 9110 section 12.4.2) in thousandths; 0 if it is invalid.
    private static func quality(_ text: Slice<UnsafeRawBufferPointer>) -> Int {
        guard let first = text.first, first == 0x30 || first == 0x31 else { return 0 }
        var (quality, unit) = (first == 0x31 ? 1_000 : 0, 100)
        for byte in text.dropFirst(2) where (0x30...0x39).contains(byte) {
            quality += Int(byte - 0x30) * unit
            unit /= 10
        }
        return min(quality, 1_000)
    }

    private static func trimmed(_ text: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        var text = text
        while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }
}
