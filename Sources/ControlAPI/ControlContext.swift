import AuthKeys
import HTTPCredentials
import Hummingbird
import Logging
import NIOCore

/// The context of a request on the control listener.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// The id in every response and log line of the request.
    let identifier: HTTPCredentials.RequestID
    var requestID: String { identifier.description }
    /// The time at which the request was passed to the router.
    let began: Timestamp
    /// Throws if the admin may no longer do what the request asks, and always where no admin was authenticated.
    /// Operations that outlast the delay of a revocation call it.
    var authorizeAgain: @Sendable () async throws -> Void = { throw APIError.internal }
    /// The log that all requests of a listener share, so that each cause is logged at most once a second.
    var failures: FailureLog?

    init(source: ApplicationRequestContextSource) {
        channel = source.channel
        began = .now
        identifier = .generate(at: began)
        coreContext = .init(source: source)
        logger[metadataKey: "hb.request.id"] = nil
        logger[metadataKey: "request_id"] = "\(requestID)"
    }

    /// Reports to the connection the result of the check of the request's admin credential.
    func checkedCredential(isValid: Bool) {
        channel.pipeline.fireUserInboundEventTriggered(CredentialChecked(isValid: isValid))
    }

}

/// An event of a connection's pipeline: the admin credential of a request was checked.
struct CredentialChecked {
    let isValid: Bool
}
