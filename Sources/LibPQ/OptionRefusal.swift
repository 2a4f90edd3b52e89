/// Recognizes that libpq refused a connection option (`sslmode=requir`, an unknown service). A retry cannot help, and
/// libpq's message says what to change.
enum OptionRefusal {
    /// The beginnings of messages of libpq's `connectOptions2`, `parse_int_param` and `parseServiceInfo`
    /// (fe-connect.c). libpq writes them in English unless a program calls `setlocale`, which this one does not.
    private static let beginnings = [
        "invalid ", "could not match ", "could not parse network address", "definition of service ", "service file ",
        "syntax error in service file", "weak sslmode ", "Unix-domain socket path ",
    ]

    /// Returns the first line of such a message; nil for any other message. The line may quote the value of an option.
    /// `ConnectionStringCheck` has already ensured that the value is not part of a password.
    static func reason(in message: String) -> String? {
        let line = message.prefix { !$0.isNewline }
        // Once libpq knows the address, the message begins with: connection to server at "10.0.0.1", port 5432 failed:
        // ...
        var reason = Substring(line)
        if line.hasPrefix("connection to server "), let range = line.firstRange(of: " failed: ") {
            reason = line[range.upperBound...]
        }
        return beginnings.contains { reason.hasPrefix($0) } ? String(reason) : nil
    }
}
