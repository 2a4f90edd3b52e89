/// Finds the mistake in a connection string that libpq refuses, or parses differently from what was meant.
///
/// A `/` or an `@` in a password shifts the parts of a URL: libpq reads the beginning of the password as a port, or its
/// end as a host (libpq, "Connection URIs"). Therefore no problem text repeats any part of the string.
enum ConnectionStringCheck {
    /// Returns the problem as a constant sentence, or nil if there is none.
    /// - Parameter parsed: the options that libpq parsed from the string; nil if libpq refuses the string.
    static func problem(in text: String, parsed: [String: String]?) -> String? {
        if let rest = afterScheme(text) { return problem(inURL: rest, parsed: parsed) }
        guard let parsed else {
            return text.contains("://")
                ? "a URL begins with postgres:// or postgresql://"
                : "a keyword string has the form host=... dbname=... user=..., and a value with spaces must be in single quotes"
        }
        return hasValidPorts(parsed) ? timeout(parsed) : port
    }

    /// Checks `connect_timeout`, which libpq itself parses only in its blocking calls. Keyward does not use these.
    private static func timeout(_ parsed: [String: String]) -> String? {
        guard let text = parsed["connect_timeout"], Int32(text.filter { $0 != " " }) == nil else { return nil }
        return "connect_timeout is not a whole number of seconds"
    }

    private static let port = "the port is not a number from 1 to 65535"

    private static func afterScheme(_ text: String) -> Substring? {
        for scheme in ["postgres://", "postgresql://"] where text.hasPrefix(scheme) {
            return text.dropFirst(scheme.count)
        }
        return nil
    }

    private static func problem(inURL rest: Substring, parsed: [String: String]?) -> String? {
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        let isReadable = parsed.map(hasValidPorts) ?? false
        let user = authority.prefix { $0 != "@" }
        let mayHideHost = user.count == authority.count || user.contains(":")
        if mayHideHost && path.prefix(while: { $0 != "?" }).contains("@")
            || !isReadable && user.count == authority.count && path.contains("@")
        {
            return encoding("/", as: "%2F") + ", and '@' in the name of the database as %40"
        }
        if let at = authority.firstIndex(of: "@") {
            let host = authority[authority.index(after: at)...].prefix { $0 != "?" }
            if host.contains("@") { return encoding("@", as: "%40") }
        }
        if hasStrayPercent(rest) { return encoding("%", as: "%25") }
        guard let parsed else {
            return
                "a URL has the form postgres://user:password@host:5432/database, and in the user name and the password "
                + "'/' is written %2F, '@' %40, ':' %3A and '%' %25"
        }
        return hasValidPorts(parsed) ? timeout(parsed) : port + "; a '/' in the password must be percent-encoded as %2F"
    }

    private static func encoding(_ character: Character, as code: String) -> String {
        "'\(character)' in the user name or the password must be percent-encoded as \(code)"
    }

    private static func hasStrayPercent(_ text: Substring) -> Bool {
        text.split(separator: "%", omittingEmptySubsequences: false).dropFirst().contains { part in
            part.utf8.count < 2 || !part.utf8.prefix(2).allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        }
    }

    /// Returns true if there is a valid port for each host, or one for all. An empty port means the default.
    private static func hasValidPorts(_ parsed: [String: String]) -> Bool {
        guard let ports = parsed["port"] else { return true }
        return ports.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { text in
            let port = text.filter { $0 != " " }
            return port.isEmpty || Int(port).map { (1...65_535).contains($0) } == true
        }
    }
}
