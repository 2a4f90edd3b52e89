import ControlAPI

/// The values that a setting accepts. The description follows "takes", as in error messages.
enum AcceptedValues: Hashable, Sendable {
    /// A text that its reader checks.
    case text(String, suggestions: [String] = [])
    /// Texts that are separated by commas. The flag is repeatable.
    case list(of: String)
    case file(String)
    case folder
    case address
    /// The flag of a boolean that is false by default has no value.
    case boolean
    case number(ClosedRange<Int>)
    case bytes(ClosedRange<Int>)
    case perThread(ClosedRange<Int>)
    /// A number of bytes, with or without a unit.
    case size(ClosedRange<Int>, orZero: Bool = false)
    case duration(such: String, orZero: Bool = false)
    /// A duration in a range of whole seconds or hours.
    case interval(ClosedRange<Duration>)

    static let timeout = duration(such: "10s, 250ms or 5m")

    /// Returns the number in a text; nil if the setting does not accept the text.
    func number(_ text: String) -> Int? {
        switch self {
        case .number(let range), .bytes(let range), .perThread(let range):
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        case .size(let range, let orZero):
            Self.byteCount(text).flatMap { range.contains($0) || orZero && $0 == 0 ? $0 : nil }
        default: nil
        }
    }

    private static let sizeUnits: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1), ("", 1),
    ]

    /// Returns the bytes of `20GB`, `64MiB` or `1000000`; nil for other texts.
    private static func byteCount(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits),
            let unit = sizeUnits.first(where: { $0.name.lowercased() == text.dropFirst(digits.count).lowercased() })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// Returns the duration in a text; nil if the setting does not accept the text.
    func duration(_ text: String) -> Duration? {
        guard let duration = Duration(setting: text) else { return nil }
        let isAccepted =
            switch self {
            case .duration(_, let orZero): orZero || duration > .zero
            case .interval(let range): range.contains(duration)
            default: false
            }
        return isAccepted ? duration : nil
    }
}

extension AcceptedValues: CustomStringConvertible {
    var description: String {
        switch self {
        case .text(let text, _), .file(let text): text
        case .list(let elements): "\(elements), separated by commas"
        case .folder: "a folder"
        case .address: "an address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        case .boolean: "true or false"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range): "a number of bytes from \(range.lowerBound) to \(range.upperBound)"
        case .perThread(let range): "a number from \(range.lowerBound) to \(range.upperBound), for each thread"
        case .size(let range, let orZero):
            """
            a size such as 20GB, 64MiB or 1000000 bytes without a unit, from \(Self.text(range.lowerBound)) to \
            \(Self.text(range.upperBound))\(orZero ? ", or 0" : "")
            """
        case .duration(let examples, let orZero): "a duration such as \(examples), \(orZero ? "or 0" : "longer than 0")"
        case .interval(let range): "a duration from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))"
        }
    }

    private static func text(_ bytes: Int) -> String {
        let unit = sizeUnits.filter { bytes.isMultiple(of: $0.bytes) }.max { $0.bytes < $1.bytes }
        return unit.map { "\(bytes / $0.bytes)\($0.name)" } ?? "\(bytes)"
    }

    private static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return seconds.isMultiple(of: 3_600) ? "\(seconds / 3_600)h" : "\(seconds)s"
    }
}
