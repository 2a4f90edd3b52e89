public import Logging
import Synchronization

/// Tells admins by what they present: the bootstrap key, which is checked in memory, or an admin key.
///
/// For administration, an admin key is read from the database each time: one that was revoked anywhere opens nothing from that
/// moment on. For what must cost no statement a request, there is a copy, a second old at most while the database answers and
/// honoured as long as keys are while it does not. The copy also says which keys are known: attempts with those are never held
/// back, while unknown ones reach the database a bounded number of times a second.
public final class AdminCredentials: Sendable {
    private struct Copy {
        var keys: [SecretDigest: AdminKey] = [:]
        /// When it was read; nil before it was.
        var readAt: Duration?
        /// When something here was changed last by itself: what was read earlier is older than that.
        var changedAt: Duration?
        var budget: RateBudget
    }

    private let bootstrap: BootstrapKey?
    private let store: any AdminKeyStore
    private let maxStaleness: Duration
    private let interval: Duration
    private let time: TimeSource
    private let logger: Logger
    private let copy: Mutex<Copy>

    /// - Parameters:
    ///   - bootstrap: nil where the operator gave none.
    ///   - maxStaleness: how old the copy may be.
    public init(
        bootstrap: BootstrapKey?, store: any AdminKeyStore, maxStaleness: Duration = .seconds(3_600),
        interval: Duration = .seconds(1), lookupsPerSecond: Int = 20, time: TimeSource = .system, logger: Logger
    ) {
        self.bootstrap = bootstrap
        self.store = store
        self.maxStaleness = maxStaleness
        self.interval = interval
        self.time = time
        self.logger = logger
        copy = Mutex(
            Copy(budget: RateBudget(perSecond: lookupsPerSecond, burst: lookupsPerSecond * 5, now: time.uptime())))
    }

    /// Who presents this, as of now; nil for nobody. What cannot be an admin key costs no look at the database.
    public func admin(presenting credential: some StringProtocol) async throws(StoreError) -> Admin? {
        switch identify(credential) {
        case .bootstrap: return .bootstrap
        case .nobody: return nil
        case .digest(let digest):
            let now = time.uptime()
            let mayLook = copy.withLock { $0.keys[digest] != nil || $0.budget.take(now: now) }
            guard mayLook, let key = try await store.adminKey(using: digest) else { return nil }
            return key.isActive(at: time.now()) ? key.admin : nil
        }
    }

    /// Who presents this, as of the copy: no statement, no wait. Throws when the copy is too old to go by.
    public func knownAdmin(presenting credential: some StringProtocol) throws(StoreError) -> Admin? {
        switch identify(credential) {
        case .bootstrap: return .bootstrap
        case .nobody: return nil
        case .digest(let digest):
            let now = time.uptime()
            let (key, isFresh) = copy.withLock { copy in
                (copy.keys[digest], copy.readAt.map { now - $0 <= max(maxStaleness, interval * 5) } ?? false)
            }
            guard isFresh else { throw StoreError(.unavailable, detail: "the admin keys could not be read lately") }
            return key.flatMap { $0.isActive(at: time.now()) ? $0.admin : nil }
        }
    }

    /// Whether somebody can administer admin keys with one, as of now.
    public func reach() async throws(StoreError) -> AdminReach {
        try await refresh()
        let now = time.now()
        return copy.withLock { $0.keys.values.map { $0.reach(at: now) }.max() ?? .none }
    }

    /// Renews the copy.
    public func refresh() async throws(StoreError) {
        let start = time.uptime()
        let keys = try await store.adminKeysByDigest()
        copy.withLock { copy in
            guard start >= copy.readAt ?? start, start >= copy.changedAt ?? start else { return }
            copy.keys = keys
            copy.readAt = start
        }
    }

    /// A key was changed here: it is known as it is now before whoever changed it is told so. Other instances learn of it with the
    /// next look.
    public func note(_ key: AdminKey) {
        copy.withLock { copy in
            copy.changedAt = time.uptime()
            guard let digest = copy.keys.first(where: { $0.value.id == key.id })?.key else { return }
            copy.keys[digest] = key
        }
    }

    /// Keeps the copy fresh until the task is cancelled.
    public func run() async {
        var isFailing = false
        while true {
            do throws(StoreError) {
                try await refresh()
                isFailing = false
            } catch {
                if !isFailing { logger.warning("admin keys cannot be read", metadata: ["error": "\(error)"]) }
                isFailing = true
            }
            guard (try? await time.sleep(interval)) != nil else { return }
        }
    }

    private enum Identity {
        case bootstrap
        case digest(SecretDigest)
        case nobody
    }

    private func identify(_ credential: some StringProtocol) -> Identity {
        let bytes = Array(credential.utf8)
        if let bootstrap, bootstrap.matches(bytes) { return .bootstrap }
        let prefix = Array("\(AdminKey.prefix)_".utf8)
        return bytes.withUnsafeBytes { bytes in
            bytes.starts(with: prefix) && TokenFormat.isWellFormed(bytes)
                ? .digest(SecretDigest(hashing: bytes)) : .nobody
        }
    }
}
