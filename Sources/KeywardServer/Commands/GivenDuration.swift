import ArgumentParser
import AuthKeys
import ControlAPI

/// Durations and times on the command line.
enum GivenDuration {
    private static let examples = "a duration such as 90d, 12h or 30m"

    /// Reads a duration that is longer than zero.
    static func positive(_ text: String) throws -> Duration {
        guard let duration = Duration(setting: text), duration > .zero else {
            throw ValidationError("the value must be \(examples), longer than 0")
        }
        return duration
    }

    /// Reads a duration of whole seconds; 0 is valid. A number without a unit is a number of seconds.
    static func seconds(_ text: String) throws -> Int64 {
        guard let duration = Duration(setting: text) ?? Duration(setting: text + "s"),
            duration.components.attoseconds == 0
        else { throw ValidationError("the value must be \(examples), or a number of seconds") }
        return duration.components.seconds
    }

    /// Returns the time that is this much later than now, in the API's format.
    static func fromNow(_ duration: Duration) -> String {
        Timestamp.now.advanced(by: duration).description
    }

    /// Returns a time in the API's format, from a time or from a duration before now that is longer than zero. The API
    /// refuses other texts.
    static func momentOrAge(_ text: String) throws -> String {
        guard let age = Duration(setting: try GivenText.nonEmpty(text)), age > .zero else { return text }
        return Timestamp.now.advanced(by: .zero - age).description
    }
}
