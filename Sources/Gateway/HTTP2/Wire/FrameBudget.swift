import NIOCore

/// A token bucket for the frames of a client that carry neither a request nor its body. An empty bucket ends the
/// connection.
///
/// Time, new requests and data sent to the client add tokens. A well-behaved client sends WINDOW_UPDATE frames for the
/// data it reads, and some clients send one for each request.
struct FrameBudget {
    static let burst = 2_000
    static let perSecond = 200
    /// The tokens that a new request adds.
    static let perRequest = 2
    /// The bytes of a response that add one token. Clients that acknowledge often do so for each 4 KiB, twice: for the
    /// stream and for the connection.
    static let bytesPerToken = 1_024

    private var tokens = Double(burst)
    private var refilledAt: NIODeadline

    init(now: NIODeadline) {
        refilledAt = now
    }

    /// Charges the bucket for a frame. Returns false if the bucket is empty.
    mutating func pay(for header: HTTP2FrameHeader, now: NIODeadline) -> Bool {
        let cost = Self.cost(of: header)
        guard cost > 0 else { return true }
        earn(Double((now - refilledAt).nanoseconds) / 1e9 * Double(Self.perSecond))
        refilledAt = now
        tokens -= cost
        return tokens >= 0
    }

    /// Adds the tokens of a new request.
    mutating func requestBegan() {
        earn(Double(Self.perRequest))
    }

    /// Adds the tokens of a DATA frame sent to the client.
    mutating func sent(bytes: Int) {
        earn(2 + Double(bytes / Self.bytesPerToken))
    }

    private mutating func earn(_ count: Double) {
        tokens = min(tokens + count, Double(Self.burst))
    }

    private static func cost(of header: HTTP2FrameHeader) -> Double {
        switch header.kind {
        // Requests and windows limit these frames.
        case .headers, .data: 0
        // A setting has six bytes, and each one is applied.
        case .settings: 1 + Double(header.length / 6)
        default: 1
        }
    }
}
