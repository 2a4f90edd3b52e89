import Logging

/// A log handler that writes human-readable lines: time, level, message, metadata. It escapes control characters, so
/// that a client's data can neither forge a line nor control a terminal.
struct TextLogHandler: LogHandler {
    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    private let writer: LogWriter

    init(writer: LogWriter) {
        self.writer = writer
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let details = all.map { " \($0.key)=\($0.value)" }.joined()
        let text = "\(LogTime.now) \(event.level.rawValue) \(event.message)\(details)"
        writer.write(Array(text.unicodeScalars.map(Self.escape).joined().utf8))
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
}
