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
        let level = try source.value(Setting.logLevel) { Logger.Level(rawValue: $0.lowercased()) }
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
        guard source.text(Setting.logFormat) != nil else { return standardErrorIsTerminal ? .text : .json }
        return try source.value(Setting.logFormat) { LogFormat(rawValue: $0) }
    }
}
