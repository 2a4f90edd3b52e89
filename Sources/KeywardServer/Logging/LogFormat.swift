import Glibc
import Logging

/// The format of the log on standard error.
enum LogFormat: String {
    case json
    case text

    private static let standardErrorIsTerminal = isatty(STDERR_FILENO) == 1

    /// Sets up the logging system of the process.
    static func bootstrap(_ source: SettingsSource) throws(SettingsError) {
        let format = try format(source)
        let level = try level(source)
        let writer = LogWriter.standardError
        LoggingSystem.bootstrap { label in
            var handler: any LogHandler =
                format == .json ? JSONLogHandler(label: label, writer: writer) : TextLogHandler(writer: writer)
            handler.logLevel = level
            return handler
        }
        let logger = Logger(label: "keyward")
        writer.report { count in
            logger.warning(
                "log lines were dropped, because standard error was not read",
                metadata: ["lines": .stringConvertible(count)])
        }
    }

    private static func format(_ source: SettingsSource) throws(SettingsError) -> LogFormat {
        guard let text = source.text(.logFormat) else { return standardErrorIsTerminal ? .text : .json }
        guard let format = LogFormat(rawValue: text) else { throw SettingsError(.logFormat, "'\(text)' is invalid") }
        return format
    }

    private static func level(_ source: SettingsSource) throws(SettingsError) -> Logger.Level {
        guard let text = source.text(.logLevel) else { return .info }
        guard let level = Logger.Level(rawValue: text.lowercased()) else {
            throw SettingsError(.logLevel, "'\(text)' is invalid")
        }
        return level
    }
}
