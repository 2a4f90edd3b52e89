extension Duration {
    /// Reads `0`, or a whole number with a unit: `250ms`, `10s`, `30m`, `1h`, `7d`. Nil for anything else, and beyond a
    /// century.
    public init?(setting text: String) {
        if text == "0" {
            self = .zero
            return
        }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits) else { return nil }
        let milliseconds: Int64
        switch text.dropFirst(digits.count) {
        case "ms": milliseconds = 1
        case "s": milliseconds = 1_000
        case "m": milliseconds = 60_000
        case "h": milliseconds = 3_600_000
        case "d": milliseconds = 86_400_000
        default: return nil
        }
        let (total, overflow) = count.multipliedReportingOverflow(by: milliseconds)
        guard !overflow, total <= 36_525 * 86_400_000 else { return nil }
        self = .milliseconds(total)
    }
}
