/// Marks of a request. The numbers are stored, the names are part of the API.
public struct RequestFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The client used HTTP/2.
    public static let http2 = RequestFlags(rawValue: 1)
    /// The client used TLS.
    public static let tls = RequestFlags(rawValue: 2)
    public static let webSocket = RequestFlags(rawValue: 4)
    /// The response was an event stream.
    public static let stream = RequestFlags(rawValue: 8)
    /// The request was sent to an upstream more than once.
    public static let retried = RequestFlags(rawValue: 16)
    /// A CORS preflight, which needs no key.
    public static let preflight = RequestFlags(rawValue: 32)
    /// The path or the query was longer than the log keeps.
    public static let cut = RequestFlags(rawValue: 64)
    /// The path, the query or the program's name held a text with the form of a token.
    public static let redacted = RequestFlags(rawValue: 128)

    public static let named: [(flag: RequestFlags, name: String)] = [
        (.http2, "http2"), (.tls, "tls"), (.webSocket, "websocket"), (.stream, "stream"), (.retried, "retried"),
        (.preflight, "preflight"), (.cut, "cut"), (.redacted, "redacted"),
    ]

    public var names: [String] { Self.named.filter { contains($0.flag) }.map(\.name) }
}
