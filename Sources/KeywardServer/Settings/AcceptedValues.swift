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
    case duration(such: String, orZero: Bool = false)
    /// A duration in a range of whole seconds or hours.
    case interval(ClosedRange<Duration>)

    static let timeout = duration(such: "10s, 250ms or 5m")

    /// Returns the number in a text; nil if the setting does not accept the text.
    func number(_ text: String) -> Int? {
        switch self {
        case .number(let range), .bytes(let range), .perThread(let range):
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        default: nil
        }
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
        case .duration(let examples, let orZero): "a duration such as \(examples), \(orZero ? "or 0" : "longer than 0")"
        case .interval(let range): "a duration from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))"
        }
    }

    private static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        return seconds.isMultiple(of: 3_600) ? "\(seconds / 3_600)h" : "\(seconds)s"
    }
}
