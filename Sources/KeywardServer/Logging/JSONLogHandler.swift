import AuthKeys
import Logging

/// A log handler that writes one flat JSON object per line: `time`, `level`, `label` and `message`, then the metadata.
/// A `_` is appended to metadata names that equal one of these.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    private let label: String
    private let writer: LogWriter

    private static let own: Set<String> = ["time", "level", "label", "message"]

    init(label: String, writer: LogWriter) {
        self.label = label
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = JSONLine()
        line.append("time", LogTime.now)
        line.append("level", event.level.rawValue)
        line.append("label", label)
        line.append("message", event.message.description)
        for (name, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: {
            $0.key < $1.key
        }) {
            line.append(Self.own.contains(name) ? name + "_" : name, value)
        }
        line.end()
        writer.write(line.bytes)
    }
}
