import AuthKeys

extension FeedReading {
    /// Decodes the state row of `FeedSQL`. Returns nil if a field is missing, which happens only in an incomplete
    /// database.
    init?(state: String, position: UInt64) {
        let fields = state.split(separator: "|", omittingEmptySubsequences: false)
        guard fields.count == 10 || fields.count == 11, let next = UInt64(fields[1]), let first = UInt64(fields[3]),
            let log = UInt64(fields[4]), let number = Int64(fields[7])
        else { return nil }
        let order: Order? =
            switch fields.count == 11 ? fields[10] : "" {
            case "accept": .acceptDatabase
            case "resync": .resync
            default: nil
            }
        self.init(
            watermark: Watermark(
                history: String(fields[0]), position: position,
                checkpoint: Watermark.Checkpoint(name: String(fields[2]), nextTransaction: first),
                durableLog: log, serverStart: String(fields[5]), session: String(fields[6]),
                epoch: FeedEpoch(number: number, name: String(fields[8]))),
            nextTransaction: next, knowsEarlierEpoch: fields[9] == "t", order: order)
    }
}
