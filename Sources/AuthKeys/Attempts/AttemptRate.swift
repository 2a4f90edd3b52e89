/// The budget of failed attempts of one client network: so many at once, and as many again in each period.
public struct AttemptRate: Sendable, Equatable {
    /// The accepted numbers of attempts.
    public static let attempts = 1...1_000_000
    /// The accepted periods.
    public static let periods = Duration.seconds(1) ... .seconds(86_400)
    public static let standard = AttemptRate(unchecked: 60, in: .seconds(60))

    /// The attempts that a full budget allows.
    let burst: Double
    /// The attempts that a budget gets back in a second, unless it was slowed down.
    let perSecond: Double

    /// Returns nil for a number or a period that is out of range.
    public init?(_ attempts: Int, in period: Duration) {
        guard Self.attempts.contains(attempts), Self.periods.contains(period) else { return nil }
        self.init(unchecked: attempts, in: period)
    }

    private init(unchecked attempts: Int, in period: Duration) {
        burst = Double(attempts)
        perSecond = Double(attempts) / (period / .seconds(1))
    }
}
