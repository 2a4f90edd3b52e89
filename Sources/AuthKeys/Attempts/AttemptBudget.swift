import Glibc

/// The budget of failed attempts of one client network: a token bucket that refills slower for a network that exceeds
/// it again and again.
///
/// Each time an attempt finds the budget empty after one that did not, the refill halves, down to a sixteenth. Each
/// minute without a refused attempt doubles it again. A client at the pace of the refill is never slowed down. A value;
/// all moments are seconds of a clock that never goes back.
struct AttemptBudget: Sendable {
    /// The number of halvings at most.
    static let slownessLimit: Float = 4
    /// The seconds that undo one halving.
    static let recovery = 60.0
    /// Sums of times may miss a whole number by as much.
    private static let tolerance = 1e-6

    let network: AttemptNetwork
    /// True if the last attempt found the budget empty.
    private var isExceeded = false
    /// The refused attempts since the last report, capped.
    private(set) var refusals: UInt16 = 0
    /// The number of halvings of the refill. It falls steadily, so it is not whole.
    private(set) var slowness: Float = 0
    private var tokens: Double
    /// The moment of `tokens` and `slowness`.
    private var at: Double

    /// Creates a full budget.
    init(of network: AttemptNetwork, at now: Double, rate: AttemptRate) {
        self.network = network
        tokens = rate.burst
        at = now
    }

    /// Counts a failed attempt. Returns nil if the budget allows it, otherwise the seconds until it allows one.
    mutating func take(at now: Double, rate: AttemptRate) -> Double? {
        let before = slowness
        refill(at: now, rate: rate)
        if tokens >= 1 - Self.tolerance {
            tokens = max(0, tokens - 1)
            isExceeded = false
            return nil
        }
        // An attempt that did not wait also ends the recovery since the last one.
        slowness = isExceeded ? before : min(Self.slownessLimit, before + 1)
        isExceeded = true
        if refusals < .max { refusals += 1 }
        return seconds(untilHas: 1, rate: rate)
    }

    /// Returns the number of attempts that the budget allows at a moment.
    func tokens(at now: Double, rate: AttemptRate) -> Double {
        var copy = self
        copy.refill(at: now, rate: rate)
        return copy.tokens
    }

    /// Returns true if an attempt would be refused at a moment.
    func isExceeded(at now: Double, rate: AttemptRate) -> Bool {
        tokens(at: now, rate: rate) < 1 - Self.tolerance
    }

    /// Returns the number of refused attempts since the last call.
    mutating func takeRefusals() -> Int {
        defer { refusals = 0 }
        return Int(refusals)
    }

    // MARK: - Refill

    private mutating func refill(at now: Double, rate: AttemptRate) {
        let time = now - at
        guard time > 0 else { return }
        at = now
        let slowTime = Double(slowness) * Self.recovery
        let gain =
            time <= slowTime
            ? Self.slowGain(in: time, slowness: slowness, rate: rate)
            : Self.slowGain(in: slowTime, slowness: slowness, rate: rate) + (time - slowTime) * rate.perSecond
        tokens = min(rate.burst, tokens + gain)
        slowness = max(0, slowness - Float(time / Self.recovery))
    }

    /// Returns the seconds until there are so many tokens, if no attempt is made before.
    private func seconds(untilHas wanted: Double, rate: AttemptRate) -> Double {
        let missing = wanted - tokens
        let slowTime = Double(slowness) * Self.recovery
        let slowGain = Self.slowGain(in: slowTime, slowness: slowness, rate: rate)
        guard missing <= slowGain else { return slowTime + (missing - slowGain) / rate.perSecond }
        return Self.recovery * log2(1 + missing * Self.scale(slowness, rate))
    }

    /// Returns the integral of the refill over a time in which the slowness stays above zero. The refill is
    /// `perSecond / 2^slowness`, and the slowness falls by one in `recovery`.
    private static func slowGain(in time: Double, slowness: Float, rate: AttemptRate) -> Double {
        time > 0 ? (exp2(time / recovery) - 1) / scale(slowness, rate) : 0
    }

    private static func scale(_ slowness: Float, _ rate: AttemptRate) -> Double {
        M_LN2 * exp2(Double(slowness)) / (recovery * rate.perSecond)
    }
}
