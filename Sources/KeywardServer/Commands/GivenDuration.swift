import ArgumentParser
import AuthKeys
import ControlAPI

/// Durations and moments on the command line.
enum GivenDuration {
    private static let examples = "a duration such as 90d, 12h or 30m"

    /// Reads a duration that is longer than zero.
    static func positive(_ text: String) throws -> Duration {
        guard let duration = Duration(setting: text), duration > .zero else {
            throw ValidationError("it takes \(examples), longer than 0")
        }
        return duration
    }

    /// Reads a duration in whole seconds, 0 included. A number without a unit is a number of seconds.
    static func seconds(_ text: String) throws -> Int64 {
        guard let duration = Duration(setting: text) ?? Duration(setting: text + "s"),
            duration.components.attoseconds == 0
        else { throw ValidationError("it takes \(examples), or a number of seconds") }
        return duration.components.seconds
    }

    /// Returns the moment that is this much later than now, as the API takes it.
    static func fromNow(_ duration: Duration) -> String {
        Timestamp.now.advanced(by: duration).description
    }

    /// Reads a moment, or a duration before now. The API checks moments.
    static func momentOrAge(_ text: String) throws -> String {
        guard let age = Duration(setting: try GivenText.nonEmpty(text)) else { return text }
        return Timestamp.now.advanced(by: .zero - age).description
    }
}
