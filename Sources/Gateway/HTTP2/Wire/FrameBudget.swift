import NIOCore

/// A token bucket for the frames of a client that carry neither a request nor its body. A connection whose bucket is empty ends.
///
/// Besides the tokens of time, requests and the data that the client receives bring tokens: an honest client sends
/// WINDOW_UPDATE frames for what it reads, and some clients one for each request.
struct FrameBudget {
    static let burst = 2_000
    static let perSecond = 200
    /// Tokens that the start of a request brings.
    static let perRequest = 2
    /// Bytes of a response that bring a token. Clients that acknowledge often do so for each 4 KiB, twice: for the stream and
    /// for the connection.
    static let bytesPerToken = 1_024

    private var tokens = Double(burst)
    private var refilledAt: NIODeadline

    init(now: NIODeadline) {
        refilledAt = now
    }

    /// Pays for a frame. False when the bucket is empty.
    mutating func pay(for header: HTTP2FrameHeader, now: NIODeadline) -> Bool {
        let cost = Self.cost(of: header)
        guard cost > 0 else { return true }
        earn(Double((now - refilledAt).nanoseconds) / 1e9 * Double(Self.perSecond))
        refilledAt = now
        tokens -= cost
        return tokens >= 0
    }

    /// Notes the start of a request.
    mutating func requestBegan() {
        earn(Double(Self.perRequest))
    }

    /// Notes a DATA frame that the client receives.
    mutating func sent(bytes: Int) {
        earn(2 + Double(bytes / Self.bytesPerToken))
    }

    private mutating func earn(_ count: Double) {
        tokens = min(tokens + count, Double(Self.burst))
    }

    private static func cost(of header: HTTP2FrameHeader) -> Double {
        switch header.kind {
        // Both have limits of their own: requests, and windows.
        case .headers, .data: 0
        // A setting is six bytes, and each is carried out.
        case .settings: 1 + Double(header.length / 6)
        default: 1
        }
    }
}
