import AuthKeys
import HTTPCredentials
import RequestLog

/// A line with texts of its own, for tests.
struct TestLine: Equatable {
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
    var method = "GET"
    var path = "/v1/reports"
    var query = ""
    var agent = ""
    var owner = ""

    /// Calls `body` with the line.
    func with<R>(_ body: (RequestLine) -> R) -> R {
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
    init(_ line: RequestLine) {
        self.init(
            at: line.at, id: line.id, surface: line.surface, outcome: line.outcome, status: line.status,
            code: line.code, keyID: line.keyID, flags: line.flags, weight: line.weight,
            microseconds: line.microseconds, upstreamMicroseconds: line.upstreamMicroseconds, bytesIn: line.bytesIn,
            bytesOut: line.bytesOut, upstream: line.upstream, address: line.address,
            method: String(decoding: line.method, as: UTF8.self), path: String(decoding: line.path, as: UTF8.self),
            query: String(decoding: line.query, as: UTF8.self), agent: String(decoding: line.agent, as: UTF8.self),
            owner: String(decoding: line.owner, as: UTF8.self))
    }
}
