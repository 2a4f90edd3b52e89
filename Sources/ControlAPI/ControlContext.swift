import Hummingbird
import Logging
import NIOCore

/// What the control listener knows of a request.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// In every response and log line of the request.
    let requestID: String
    /// Throws if the admin no longer has the permission of the route. Work that runs for longer than a revocation may take checks
    /// it again. Where no admin was authenticated, it always throws.
    var authorizeAgain: @Sendable () async throws -> Void = { throw APIError.internal }
    /// Shared by all requests of a listener, so that each cause is logged once a second.
    var failures: FailureLog?

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        requestID = Self.newRequestID()
        coreContext = .init(source: source)
        logger[metadataKey: "hb.request.id"] = nil
        logger[metadataKey: "request_id"] = "\(requestID)"
    }

    /// Tells the connection whether the admin credential of the request was valid.
    func checkedCredential(isValid: Bool) {
        channel.pipeline.fireUserInboundEventTriggered(CredentialChecked(isValid: isValid))
    }

    static func newRequestID() -> String {
        var random = SystemRandomNumberGenerator()
        return hex(random.next()) + hex(random.next())
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
