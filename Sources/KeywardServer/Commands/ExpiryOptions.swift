import ArgumentParser

/// The end of a key, as a moment or as a lifetime from now.
struct ExpiryOptions: ParsableArguments {
    @Option(help: "When the key ends, an RFC 3339 moment such as 2030-01-31T12:00:00Z.", transform: GivenText.nonEmpty)
    var expiresAt: String?

    @Option(help: "How long the key lives from now on, such as 90d or 12h.", transform: GivenDuration.positive)
    var expiresIn: Duration?

    func validate() throws {
        guard expiresAt == nil || expiresIn == nil else {
            throw ValidationError("--expires-at and --expires-in exclude each other")
        }
    }

    /// The moment, as the API takes it.
    var moment: String? { expiresAt ?? expiresIn.map(GivenDuration.fromNow) }
}
