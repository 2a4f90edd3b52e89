import CLibPQ

/// The options of a connection: any URI or keyword string that libpq parses (libpq, "Connection Strings"), including
/// service files, password files and `sslmode`.
///
/// If the string names no service file, missing options have these defaults: keepalives that detect a dead peer in
/// about 25 s, and the same limit for unacknowledged data. `client_encoding` is always UTF8, the encoding of all text
/// here.
public struct PostgresTarget: Sendable {
    /// Keywords and values for `PQconnectStartParams`. They include the password and are never printed.
    let options: [(keyword: String, value: String)]

    /// Parses `conninfo` (libpq, "PQconninfoParse").
    /// - Throws: `.invalidTarget`, whose description says what to change. It omits libpq's message, which quotes the
    ///   string with the password.
    public init(_ conninfo: String) throws(PostgresError) {
        let read = conninfo.utf8.contains(0) ? nil : Self.parse(conninfo)
        if let problem = ConnectionStringCheck.problem(in: conninfo, parsed: read) {
            throw PostgresError(.invalidTarget, detail: problem, nothingWasSent: true)
        }
        guard var parsed = read else { throw PostgresError(.invalidTarget, nothingWasSent: true) }
        parsed["client_encoding"] = "UTF8"
        var defaults = ["fallback_application_name": "keyward"]
        if parsed["service"] == nil {
            defaults["connect_timeout"] = "5"
            defaults["keepalives"] = "1"
            defaults["keepalives_idle"] = "10"
            defaults["keepalives_interval"] = "5"
            defaults["keepalives_count"] = "3"
            defaults["tcp_user_timeout"] = "25000"
        }
        parsed.merge(defaults) { given, _ in given }
        options = parsed.sorted { $0.key < $1.key }.map { (keyword: $0.key, value: $0.value) }
    }

    /// The `connect_timeout` of the connection string, in whole seconds; nil if it is 0 or not a number.
    var connectTimeout: Duration? {
        guard let seconds = value("connect_timeout").flatMap({ Int32($0) }), seconds > 0 else { return nil }
        return .seconds(Int64(seconds))
    }

    private func value(_ keyword: String) -> String? {
        options.first { $0.keyword == keyword }?.value
    }

    private static func parse(_ conninfo: String) -> [String: String]? {
        guard let list = PQconninfoParse(conninfo, nil) else { return nil }
        defer { PQconninfoFree(list) }
        var parsed: [String: String] = [:]
        var option = list
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { parsed[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return parsed
    }
}

extension PostgresTarget: CustomStringConvertible, CustomReflectable {
    /// Host, port, database and user, never a password.
    public var description: String {
        ["host", "hostaddr", "port", "dbname", "user", "service", "sslmode"]
            .compactMap { keyword in value(keyword).map { "\(keyword)=\($0)" } }
            .joined(separator: " ")
    }

    /// Empty, so that `dump` shows no more than `description`.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
