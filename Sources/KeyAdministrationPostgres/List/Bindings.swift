import AuthKeys
import LibPQ

/// The values of a generated statement, in the order of their `$1`, `$2` …
struct Bindings {
    private(set) var parameters: [PostgresParameter] = []

    /// Adds a value and returns its placeholder in the statement.
    mutating func add(_ parameter: PostgresParameter) -> String {
        parameters.append(parameter)
        return "$\(parameters.count)"
    }

    /// Adds a time as a row returned it. A time out of range becomes infinity.
    mutating func add(_ moment: Timestamp) -> String {
        switch moment.microseconds {
        case ..<(-210_866_803_200_000_000): "timestamptz '-infinity'"
        case .max: "timestamptz 'infinity'"
        default: add(.timestamp(microsecondsSinceUnixEpoch: moment.microseconds))
        }
    }

    /// Adds an interval.
    mutating func add(_ duration: Duration) -> String {
        "make_interval(secs => \(add(.double(duration / .seconds(1)))))"
    }
}
