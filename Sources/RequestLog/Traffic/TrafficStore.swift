public import AuthKeys

/// Counts that are written together.
public struct TrafficBatch: Sendable {
    public enum Content: Sendable {
        /// One count a group, in the order of minute, entry point, outcome and code.
        case minutes([MinuteCount])
        /// One count a group, in the order of key and hour.
        case hours([HourCount])
    }

    /// The number of the batch. A recorder numbers its batches upwards from 1, and begins no batch before the previous
    /// one was written.
    public let number: Int64
    public let content: Content

    public init(number: Int64, _ content: Content) {
        self.number = number
        self.content = content
    }

    var requests: Int64 {
        switch content {
        case .minutes(let counts): counts.reduce(0) { $0 + $1.sum.requests }
        case .hours(let counts): counts.reduce(0) { $0 + $1.totals.sum.requests }
        }
    }
}

/// The database as a recorder writes roll-ups to it. A store has one recorder.
public protocol TrafficStore: Sendable {
    /// Adds the counts of a batch to the stored ones, unless the batch was written before. The recorder thus repeats a
    /// batch whose result was lost, and each request is counted once.
    func write(_ batch: TrafficBatch) async throws(StoreError)
}
