public import Logging

/// The admin credentials, the administration of admin keys, the audit trail and the log of refused attempts.
public struct Administration: Sendable {
    public let credentials: AdminCredentials
    public let keys: AdminKeyService
    public let trail: any AuditTrail
    public let refusals: RefusalLog

    /// - Parameters:
    ///   - bootstrap: nil if the operator configured none.
    ///   - maxStaleness: the time for which admin keys are accepted from memory, where that applies.
    public init(
        store: any AdminKeyStore & AuditTrail, bootstrap: BootstrapKey?, maxStaleness: Duration = .seconds(3_600),
        logger: Logger
    ) {
        credentials = AdminCredentials(
            bootstrap: bootstrap, store: store, maxStaleness: maxStaleness, logger: logger)
        keys = AdminKeyService(store: store, hasBootstrapKey: bootstrap != nil, credentials: credentials)
        trail = store
        refusals = RefusalLog(trail: store)
    }
}
