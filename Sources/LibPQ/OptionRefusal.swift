/// libpq's own refusal of a connection option (`sslmode=requir`, an unknown service): waiting does not help, and libpq's words
/// say what to change.
enum OptionRefusal {
    /// Beginnings of the messages of libpq's `connectOptions2`, `parse_int_param` and `parseServiceInfo` (fe-connect.c). libpq
    /// writes them in English unless a program calls `setlocale`, which this one does not.
    private static let beginnings = [
        "invalid ", "could not match ", "could not parse network address", "definition of service ", "service file ",
        "syntax error in service file", "weak sslmode ", "Unix-domain socket path ",
    ]

    /// Returns the first line of such a message; nil for any other message. It may quote the value of an option, which
    /// `ConnectionStringCheck` has found to be no part of a password.
    static func reason(in message: String) -> String? {
        let line = message.prefix { !$0.isNewline }
        // From the moment on when libpq knows the address: connection to server at "10.0.0.1", port 5432 failed: ...
        var reason = Substring(line)
        if line.hasPrefix("connection to server "), let range = line.firstRange(of: " failed: ") {
            reason = line[range.upperBound...]
        }
        return beginnings.contains { reason.hasPrefix($0) } ? String(reason) : nil
    }
}
