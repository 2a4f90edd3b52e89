public import Logging
import Synchronization

/// The log lines of a test.
public final class LogLines: Sendable {
    private let lines = Mutex<[(level: Logger.Level, text: String)]>([])

    public init() {}

    public var all: [String] { lines.withLock { $0.map(\.text) } }
    public var errors: [String] { lines.withLock { $0.filter { $0.level >= .error }.map(\.text) } }
    public var handler: any LogHandler { Handler(lines: self) }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
            lines.lines.withLock { $0.append((event.level, "\(event.message) \(fields)")) }
        }
    }
}
