import ArgumentParser

/// Texts on the command line.
enum GivenText {
    /// Refuses an empty text: a script with an unset variable passes one, where the value was meant to limit something.
    static func nonEmpty(_ text: String) throws -> String {
        guard !text.isEmpty else { throw ValidationError("it must not be empty") }
        return text
    }
}
