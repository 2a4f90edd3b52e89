import AuthKeys
import HTTPCredentials
import NIOCore
import RequestLog

/// The data kept about the current request for its response, its metrics and its log entry.
struct RequestRecord {
    /// Also identifies the request to late callbacks, which are ignored if another one is current.
    var id = RequestID(high: 0, low: 0)
    var began = NIODeadline.uptimeNanoseconds(0)
    /// The wall-clock time of `began`.
    var at = Timestamp(microseconds: 0)
    var status = 0
    /// The outcome for the log, and its reason.
    var outcome = RequestOutcome.allowed
    var code: String?
    var flags: RequestFlags = []
    /// False if the bytes were not a valid head, so that there is no method and no path.
    var hasHead = false
    /// The bytes of the bodies.
    var bytesIn = 0
    var bytesOut = 0
    /// The time at which the request was last sent to an upstream, and that of the head of the response.
    var sentAt: NIODeadline?
    var respondedAt: NIODeadline?
    /// True if the response has stated the actual cost of the request.
    var hasStatedCost = false
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
    /// The request, if the gateway answers it itself.
    var own: SelfRequest?
    /// The upstream group of the request's route, and its targets that were tried.
    var group: UpstreamGroup?
    var targets = TriedTargets()

    /// Sets the outcome of an exchange that ends without a complete response of the upstream.
    mutating func end(_ outcome: RequestOutcome, _ code: String) {
        self.outcome = outcome
        self.code = code
    }
}
