public import Logging

/// Who administers, what they do beside keys, and the trail of it.
public struct Administration: Sendable {
    public let credentials: AdminCredentials
    public let keys: AdminKeyService
    public let trail: any AuditTrail
    public let refusals: RefusalLog

    /// - Parameters:
    ///   - bootstrap: nil where the operator gave none.
    ///   - maxStaleness: how long admin keys are honoured from memory, where they are.
    public init(
        store: any AdminKeyStore & AuditTrail, bootstrap: BootstrapKey?, maxStaleness: Duration = .seconds(3_600),
        time: TimeSource = .system, logger: Logger
    ) {
        credentials = AdminCredentials(
            bootstrap: bootstrap, store: store, maxStaleness: maxStaleness, time: time, logger: logger)
        keys = AdminKeyService(
            store: store, hasBootstrapKey: bootstrap != nil, credentials: credentials, time: time)
        trail = store
        refusals = RefusalLog(trail: store, time: time)
    }
}
