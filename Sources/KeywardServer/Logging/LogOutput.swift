import Glibc
import Logging

/// Standard error, a line at a time.
struct LogOutput: Sendable {
    /// Writes a line in one call, so that lines of several threads do not mix.
    func write(_ line: [UInt8]) {
        let bytes = line + [0x0A]
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    static let standardErrorIsTerminal = isatty(STDERR_FILENO) == 1
}

enum LogFormat: String {
    case json
    case text

    /// Makes all loggers of the process.
    static func bootstrap(_ source: SettingsSource) throws(SettingsError) {
        var format = LogOutput.standardErrorIsTerminal ? LogFormat.text : .json
        if let text = source.text(.logFormat) {
            guard let named = LogFormat(rawValue: text) else { throw SettingsError(.logFormat, "'\(text)' is neither") }
            format = named
        }
        var level = Logger.Level.info
        if let text = source.text(.logLevel) {
            guard let named = Logger.Level(rawValue: text.lowercased()) else {
                throw SettingsError(.logLevel, "'\(text)' is none")
            }
            level = named
        }
        let chosen = format
        let threshold = level
        LoggingSystem.bootstrap { label in
            var handler: any LogHandler =
                chosen == .json
                ? JSONLogHandler(label: label, output: LogOutput()) : TextLogHandler(output: LogOutput())
            handler.logLevel = threshold
            return handler
        }
    }
}
