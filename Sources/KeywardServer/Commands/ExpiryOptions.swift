import ArgumentParser

/// The expiry of a key, as a time or as a lifetime from now.
struct ExpiryOptions: ParsableArguments {
    @Option(
        help: "The time at which the key expires, in RFC 3339, such as 2030-01-31T12:00:00Z.",
        transform: GivenText.nonEmpty)
    var expiresAt: String?

    @Option(help: "The time from now until the key expires, such as 90d or 12h.", transform: GivenDuration.positive)
    var expiresIn: Duration?

    func validate() throws {
        guard expiresAt == nil || expiresIn == nil else {
            throw ValidationError("--expires-at cannot be combined with --expires-in")
        }
    }

    /// The time of expiry in the API's format.
    var moment: String? { expiresAt ?? expiresIn.map(GivenDuration.fromNow) }
}
