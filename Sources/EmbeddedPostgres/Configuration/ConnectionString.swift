/// A builder of libpq's keyword strings (libpq, "Connection Strings").
enum ConnectionString {
    static func make(socketFolder: String, port: UInt16, database: String) -> String {
        "host=\(quoted(socketFolder)) port=\(port) dbname=\(quoted(database)) user=\(AccessRules.role)"
    }

    /// Returns a value in single quotes, with quotes and backslashes escaped by a backslash. Scalars are compared,
    /// because a quote and a combining mark after it are one `Character`.
    static func quoted(_ value: String) -> String {
        var quoted = String.UnicodeScalarView("'".unicodeScalars)
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.append("\\") }
            quoted.append(scalar)
        }
        return String(quoted) + "'"
    }
}
