import AuthKeys

/// A scanner that finds a number in the `usage` object of a JSON object: `{"usage":{"total_tokens":5}}`.
///
/// It reads a byte at a time, in constant memory, so that chunks may be split anywhere. It checks as much of JSON as it
/// needs in order not to mistake a string or a deeper object for the member. Bytes that are not JSON end the scan.
struct UsageObjectScanner {
    private enum State {
        /// Before the outermost object.
        case start
        /// Before a name, or the end of an object.
        case name
        case inName, nameEscape
        case colon, value, afterValue
        case number
        /// Within `true`, `null`, or a number that does not count.
        case literal
        /// Within a string, which a deeper value may contain.
        case string, stringEscape
        /// Within an array or an object that does not count.
        case deeper
        case ended
    }

    /// The maximum depth of arrays and objects.
    private static let depthLimit = 512
    private static let usage = Array("usage".utf8)

    private let member: [UInt8]
    private var state = State.start
    /// True within the `usage` object, false within the outermost one.
    private var isInUsage = false
    /// The number of bytes of the name that match; -1 after one that does not.
    private var matched = 0
    /// The number of open arrays and objects that do not count.
    private var depth = 0
    private var number: Int64 = 0
    /// The last number that was found. It outlives `restart`.
    private(set) var found: Int64?

    init(_ member: UsageMember) {
        self.member = member.name
    }

    /// True if no object has begun, or if the object has ended.
    var isBetween: Bool { state == .start || state == .ended }

    /// Begins with another object.
    mutating func restart() {
        state = .start
        isInUsage = false
        depth = 0
    }

    mutating func scan(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { scan(byte) }
    }

    @inline(__always)
    mutating func scan(_ byte: UInt8) {
        switch state {
        case .ended: break
        case .string:
            if byte == UInt8(ascii: "\"") {
                state = depth > 0 ? .deeper : .afterValue
            } else if byte == UInt8(ascii: "\\") {
                state = .stringEscape
            }
        case .stringEscape: state = .string
        case .deeper: scanDeeper(byte)
        case .inName: scanName(byte)
        default: scanStructure(byte)
        }
    }

    private mutating func scanDeeper(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): state = .string
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            if depth > Self.depthLimit { state = .ended }
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if depth == 0 { state = .afterValue }
        default: break
        }
    }

    /// A name with an escape counts as another one: no serializer escapes letters.
    private mutating func scanName(_ byte: UInt8) {
        let wanted = isInUsage ? member : Self.usage
        if byte == UInt8(ascii: "\"") {
            if matched != wanted.count { matched = -1 }
            state = .colon
        } else if byte == UInt8(ascii: "\\") {
            matched = -1
            state = .nameEscape
        } else if matched >= 0, matched < wanted.count, wanted[matched] == byte {
            matched += 1
        } else {
            matched = -1
        }
    }

    private mutating func scanStructure(_ byte: UInt8) {
        switch state {
        case .number where ByteClass.isDigit(byte):
            // A number beyond the bound stays beyond it.
            number = min(number * 10 + Int64(byte - 0x30), LimitReservation.costLimit + 1)
        case .number where Self.endsValue(byte):
            if number <= LimitReservation.costLimit { found = number }
            endValue(byte)
        case .number: state = .literal
        case .literal: if Self.endsValue(byte) { endValue(byte) }
        case .nameEscape: state = .inName
        case _ where Self.isBlank(byte): break
        case .start: state = byte == UInt8(ascii: "{") ? .name : .ended
        case .name where byte == UInt8(ascii: "\""):
            matched = 0
            state = .inName
        case .name where byte == UInt8(ascii: "}"): endObject()
        case .colon: state = byte == UInt8(ascii: ":") ? .value : .ended
        case .value: beginValue(byte)
        case .afterValue: endValue(byte)
        default: state = .ended
        }
    }

    private mutating func beginValue(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "{") where !isInUsage && matched >= 0:
            isInUsage = true
            state = .name
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth = 1
            state = .deeper
        case UInt8(ascii: "\""): state = .string
        case _ where ByteClass.isDigit(byte) && isInUsage && matched >= 0:
            number = Int64(byte - 0x30)
            state = .number
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"): state = .ended
        default: state = .literal
        }
    }

    /// Handles the byte after a value.
    private mutating func endValue(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: ","): state = .name
        case UInt8(ascii: "}"): endObject()
        default: state = Self.isBlank(byte) ? .afterValue : .ended
        }
    }

    private mutating func endObject() {
        state = isInUsage ? .afterValue : .ended
        isInUsage = false
    }

    private static func endsValue(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || isBlank(byte)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == ByteClass.space || byte == ByteClass.lineFeed || byte == ByteClass.carriageReturn
            || byte == ByteClass.tab
    }
}
