import AuthKeys
import NIOCore

/// What is kept of the request under way, to answer, count and log it.
struct RequestRecord {
    var id = RequestID(high: 0, low: 0)
    var began = NIODeadline.uptimeNanoseconds(0)
    var status = 0
    var keyID: KeyID?
    var method = ""
    var isToHead = false
    var hasOrigin = false
    var version = HTTPVersion.http11
    /// Whether the request counts as under way.
    var isCounted = false
    /// Whether there was room for it.
    var isAdmitted = true
    /// The account that it counts against, and whether it does.
    var account = Account.unknown
    var countsAgainstAccount = false
    /// Whether it holds a place for a tunnel.
    var holdsTunnel = false
    /// The digest of the key, or the one to look up.
    var digest: SecretDigest?
    var expiresAt: Timestamp?
    /// The upstreams of its route, and which of them were tried.
    var group: UpstreamGroup?
    var triedTargets: UInt64 = 0
    /// The one that it went to last.
    var target: Int?
}
