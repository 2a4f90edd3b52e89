public import AuthKeys
public import HTTPCredentials
public import RequestLog

/// A line with texts of its own, for tests.
public struct TestLine: Equatable, Sendable {
    public var at = Timestamp(microseconds: 1_700_000_000_123_456)
    public var id = RequestID(high: 1, low: 2)
    public var surface = RequestSurface.gateway
    public var outcome = RequestOutcome.allowed
    public var status: UInt16 = 200
    public var code: String?
    public var keyID: KeyID? = KeyID(high: 3, low: 4)
    public var flags: RequestFlags = []
    public var weight: UInt32 = 1
    public var microseconds: Int64 = 1_500
    public var upstreamMicroseconds: Int32? = 900
    public var bytesIn: Int64 = 0
    public var bytesOut: Int64 = 0
    public var upstream: UInt16 = 0
    public var address = IPAddress("192.0.2.7")
    public var method = "GET"
    public var path = "/v1/reports"
    public var query = ""
    public var agent = ""
    public var owner = ""

    public init() {}

    /// Calls `body` with the line.
    public func with<R>(_ body: (RequestLine) -> R) -> R {
        var texts: [Range<Int>] = []
        var bytes: [UInt8] = []
        for text in [method, path, query, agent, owner] {
            texts.append(bytes.count..<(bytes.count + text.utf8.count))
            bytes += text.utf8
        }
        return bytes.withUnsafeBytes { bytes in
            func part(_ index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[texts[index]]) }
            var line = RequestLine(
                at: at, id: id, surface: surface, outcome: outcome, status: status, code: code, keyID: keyID)
            (line.flags, line.weight, line.microseconds) = (flags, weight, microseconds)
            (line.upstreamMicroseconds, line.bytesIn, line.bytesOut) = (upstreamMicroseconds, bytesIn, bytesOut)
            (line.upstream, line.address) = (upstream, address)
            (line.method, line.path, line.query, line.agent, line.owner) = (part(0), part(1), part(2), part(3), part(4))
            return body(line)
        }
    }
}

extension TestLine {
    public init(_ line: RequestLine) {
        (at, id, surface, outcome) = (line.at, line.id, line.surface, line.outcome)
        (status, code, keyID, flags) = (line.status, line.code, line.keyID, line.flags)
        (weight, microseconds, upstreamMicroseconds) = (line.weight, line.microseconds, line.upstreamMicroseconds)
        (bytesIn, bytesOut, upstream, address) = (line.bytesIn, line.bytesOut, line.upstream, line.address)
        method = String(decoding: line.method, as: UTF8.self)
        path = String(decoding: line.path, as: UTF8.self)
        query = String(decoding: line.query, as: UTF8.self)
        agent = String(decoding: line.agent, as: UTF8.self)
        owner = String(decoding: line.owner, as: UTF8.self)
    }

    /// Returns a line with some members set.
    public static func with(_ change: (inout TestLine) -> Void) -> TestLine {
        var line = TestLine()
        change(&line)
        return line
    }
}

extension RequestPage {
    /// The lines of the page.
    public var lines: [TestLine] {
        var lines: [TestLine] = []
        forEachLine { lines.append(TestLine($0)) }
        return lines
    }
}

extension PageQueue {
    /// Removes all pages, and returns their lines.
    public func takeLines() -> [TestLine] { take(upTo: .max).flatMap(\.lines) }
}
