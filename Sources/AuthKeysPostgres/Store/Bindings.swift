import AuthKeys
import LibPQ

/// The values of a statement that is put together, in the order of their `$1`, `$2` …
struct Bindings {
    private(set) var parameters: [PostgresParameter] = []

    /// What stands for a value in the statement.
    mutating func add(_ parameter: PostgresParameter) -> String {
        parameters.append(parameter)
        return "$\(parameters.count)"
    }

    /// A moment as a row gave it: those beyond what a number tells are endless.
    mutating func add(_ moment: Timestamp) -> String {
        switch moment.microseconds {
        case ..<(-210_866_803_200_000_000): "timestamptz '-infinity'"
        case .max: "timestamptz 'infinity'"
        default: add(.timestamp(microsecondsSinceUnixEpoch: moment.microseconds))
        }
    }

    /// A span of time.
    mutating func add(_ duration: Duration) -> String {
        "make_interval(secs => \(add(.double(duration / .seconds(1)))))"
    }
}
