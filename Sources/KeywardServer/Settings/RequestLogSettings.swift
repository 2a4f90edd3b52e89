import AuthKeys
import RequestLog
import RequestLogPostgres

/// The place that the access log is written to.
enum AccessLogDestination: Sendable, Equatable {
    case standardOutput
    case file(String)
}

/// The settings of the request log.
struct RequestLogSettings: Sendable {
    enum Mode: String, Sendable, CaseIterable {
        /// Lines and roll-ups.
        case on
        /// Roll-ups alone.
        case off
        /// Neither lines nor roll-ups.
        case none
    }

    let mode: Mode
    let retention: RequestLogRetention
    /// The maximum size of the lines that are not written yet, in bytes.
    let buffer: Int
    /// The part of admitted requests that get a line, 0 to 1.
    let ratio: Double
    let privacy: LogPrivacy
    let writers: Int
    /// Nil without an access log.
    let accessLog: AccessLogDestination?

    init(_ source: SettingsSource) throws(SettingsError) {
        mode = try source.value(Setting.requestLog) { Mode(rawValue: $0) }
        retention = RequestLogRetention(
            days: try source.number(Setting.requestLogDays), bytes: try source.number(Setting.requestLogBytes))
        buffer = try source.number(Setting.requestLogBuffer)
        ratio = try source.value(Setting.requestLogSample) { text in
            Double(text).flatMap { (0...1).contains($0) ? $0 : nil }
        }
        privacy = LogPrivacy(
            queries: try source.value(Setting.requestLogQuery) { LogPrivacy.Queries(rawValue: $0) },
            addresses: try source.value(Setting.requestLogAddress) { LogPrivacy.Addresses(rawValue: $0) },
            skipping: try source.list(Setting.requestLogSkip) { LogPrivacy.Skip($0) })
        writers = try source.number(Setting.requestLogWriters)
        accessLog = source.text(Setting.accessLog).map { $0 == "-" ? .standardOutput : .file($0) }
    }

    /// Returns the log of an instance; nil if requests are neither logged nor counted.
    /// - Parameters:
    ///   - traffic: receives the counts of requests.
    ///   - schemes: the schemes of imported tokens, which lines must not contain.
    func makeLog(_ traffic: TrafficRecorder, schemes: TokenSchemes) -> RequestLog? {
        if mode == .none, accessLog == nil { return nil }
        var privacy = privacy
        privacy.schemes = schemes
        return RequestLog(
            writesRows: mode == .on, writesAccessLog: accessLog != nil, capacity: buffer, ratio: ratio,
            privacy: privacy,
            traffic: mode == .none ? nil : traffic)
    }
}

extension LogPrivacy.Skip {
    /// Parses a method or `*`, a blank, and a path pattern. Returns nil for other texts.
    init?(_ text: String) {
        guard let blank = text.firstIndex(of: " "), let path = PathPattern(text[text.index(after: blank)...]) else {
            return nil
        }
        let name = String(text[..<blank])
        guard name != "*" else {
            self.init(method: nil, path: path)
            return
        }
        guard let method = MethodName.checked(name) else { return nil }
        self.init(method: method, path: path)
    }
}
