import AuthKeys
import HTTPCredentials
import RequestLog

/// A line with texts of its own, for tests.
struct SentLine: Equatable, Sendable {
    var at = Timestamp(microseconds: 1_700_000_000_123_456)
    var id = RequestID(high: 1, low: 2)
    var surface = RequestSurface.gateway
    var outcome = RequestOutcome.allowed
    var status: UInt16 = 200
    var code: String?
    var keyID: KeyID? = KeyID(high: 3, low: 4)
    var flags: RequestFlags = []
    var weight: UInt32 = 1
    var microseconds: Int64 = 1_500
    var upstreamMicroseconds: Int32? = 900
    var bytesIn: Int64 = 0
    var bytesOut: Int64 = 0
    var upstream: UInt16 = 0
    var address = IPAddress("192.0.2.7")
    var method = Array("GET".utf8)
    var path = Array("/v1/reports".utf8)
    var query: [UInt8] = []
    var agent: [UInt8] = []
    var owner: [UInt8] = []

    init() {}

    init(at: Timestamp, id: RequestID, path: String = "/v1/reports") {
        (self.at, self.id, self.path) = (at, id, Array(path.utf8))
    }

    /// Calls `body` with the line.
    func with<R>(_ body: (RequestLine) throws -> R) rethrows -> R {
        var texts: [Range<Int>] = []
        var bytes: [UInt8] = []
        for text in [method, path, query, agent, owner] {
            texts.append(bytes.count..<(bytes.count + text.count))
            bytes += text
        }
        return try bytes.withUnsafeBytes { bytes in
            func part(_ index: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[texts[index]]) }
            var line = RequestLine(
                at: at, id: id, surface: surface, outcome: outcome, status: status, code: code, keyID: keyID)
            (line.flags, line.weight, line.microseconds) = (flags, weight, microseconds)
            (line.upstreamMicroseconds, line.bytesIn, line.bytesOut) = (upstreamMicroseconds, bytesIn, bytesOut)
            (line.upstream, line.address) = (upstream, address)
            (line.method, line.path, line.query, line.agent, line.owner) = (part(0), part(1), part(2), part(3), part(4))
            return try body(line)
        }
    }
}

extension SentLine {
    init(_ line: RequestLine) {
        self.init()
        (at, id, surface, outcome, status) = (line.at, line.id, line.surface, line.outcome, line.status)
        (code, keyID, flags, weight, microseconds) = (line.code, line.keyID, line.flags, line.weight, line.microseconds)
        (upstreamMicroseconds, bytesIn, bytesOut) = (line.upstreamMicroseconds, line.bytesIn, line.bytesOut)
        (upstream, address) = (line.upstream, line.address)
        (method, path, query) = (Array(line.method), Array(line.path), Array(line.query))
        (agent, owner) = (Array(line.agent), Array(line.owner))
    }
}
