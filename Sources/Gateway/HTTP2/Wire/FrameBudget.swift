import AuthKeys
import NIOCore

/// A limit of a client's frames that carry neither a request nor its body. An empty bucket ends the connection.
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

    private var bucket: TokenBucket

    init(now: NIODeadline) {
        bucket = TokenBucket(perSecond: Self.perSecond, burst: Self.burst, now: Self.uptime(now))
    }

    /// Charges the bucket for a frame. Returns false if the bucket is empty.
    mutating func pay(for header: HTTP2FrameHeader, now: NIODeadline) -> Bool {
        let cost = Self.cost(of: header)
        return cost == 0 || bucket.take(cost, now: Self.uptime(now))
    }

    /// Adds the tokens of a new request.
    mutating func requestBegan() {
        bucket.add(Double(Self.perRequest))
    }

    /// Adds the tokens of a DATA frame sent to the client.
    mutating func sent(bytes: Int) {
        bucket.add(2 + Double(bytes / Self.bytesPerToken))
    }

    private static func uptime(_ now: NIODeadline) -> Duration {
        .nanoseconds(Int64(clamping: now.uptimeNanoseconds))
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
