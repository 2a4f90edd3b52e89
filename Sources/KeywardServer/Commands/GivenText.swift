import ArgumentParser

/// Text values on the command line.
enum GivenText {
    /// Returns the text, and refuses an empty one: a script with an unset variable would otherwise lift a restriction.
    static func nonEmpty(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("the value must not be empty") }
        return text
    }
}
