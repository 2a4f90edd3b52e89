import AuthKeys
import HTTPCredentials
import NIOCore

/// The data kept about the current request for its response, its metrics and its log entry.
struct RequestRecord {
    /// Also identifies the request to late callbacks, which are ignored if another one is current.
    var id = RequestID(high: 0, low: 0)
    var began = NIODeadline.uptimeNanoseconds(0)
    var status = 0
    var keyID: KeyID?
    var method = ""
    var isToHead = false
    var hasOrigin = false
    var version = HTTPVersion.http11
    /// True while the request counts as in flight.
    var isCounted = false
    /// False if the request exceeds the limit of requests in flight.
    var isAdmitted = true
    /// The account that the request counts against, and a flag that is true while it does.
    var account = Account.unknown
    var countsAgainstAccount = false
    /// True while the request holds a tunnel of its loop.
    var holdsTunnel = false
    /// The digest of the key, or the one to look up.
    var digest: SecretDigest?
    var expiresAt: Timestamp?
    /// The upstream group of the request's route, and its targets that were tried.
    var group: UpstreamGroup?
    var targets = TriedTargets()
}
