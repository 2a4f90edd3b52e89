extension String {
    /// The text as a quoted identifier (PostgreSQL, "Identifiers and Key Words"). Scalars are compared, because a quote
    /// and a combining mark after it are one `Character`.
    package var quotedIdentifier: String {
        let parts = unicodeScalars.split(separator: "\"", omittingEmptySubsequences: false).map { String($0) }
        return "\"" + parts.joined(separator: "\"\"") + "\""
    }
}
