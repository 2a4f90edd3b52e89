/// A builder of libpq's keyword strings (libpq, "Connection Strings").
enum ConnectionString {
    static func make(socketFolder: String, port: UInt16, database: String) -> String {
        "host=\(quoted(socketFolder)) port=\(port) dbname=\(quoted(database)) user=\(AccessRules.role)"
    }

    /// Returns a value in single quotes, with quotes and backslashes escaped by a backslash.
    static func quoted(_ value: String) -> String {
        "'"
            + value.reduce(into: "") { text, character in
                if character == "'" || character == "\\" { text.append("\\") }
                text.append(character)
            } + "'"
    }
}
