public import AuthKeys
public import Logging
import Synchronization

/// Authenticates admins by the bootstrap key, which is checked in memory, or by an admin key.
///
/// For administration, each request reads its admin key from the database, so a revocation on any instance applies at
/// once. Requests that must not cost a statement use a copy in memory. While the database responds, the copy is at most
/// a second old; otherwise it stays valid as long as data keys do.
///
/// The copy also lists the known keys: attempts with those are never delayed. Unknown keys reach the database a bounded
/// number of times a second; attempts beyond that wait for the next renewal of the copy.
public final class AdminCredentials: Sendable {
    private struct Copy {
        /// Keys that are not deactivated.
        var keys: [SecretDigest: AdminKey] = [:]
        /// All keys that were ever seen deactivated. A deactivation is permanent, even if the database lost it.
        var deactivated: [SecretDigest: AdminKey] = [:]
        /// The start of the read that the copy comes from; nil before the first read.
        var readAt: Duration?
        /// The time of the newest local change. A read that began earlier is outdated.
        var changedAt: Duration?
        /// Keys that were checked against the copy alone and whose use is not recorded yet.
        var used: Set<SecretDigest> = []
        var budget: TokenBucket

        subscript(digest: SecretDigest) -> AdminKey? { deactivated[digest] ?? keys[digest] }

        /// Records the state of a key as of `uptime` or later.
        mutating func note(_ key: AdminKey, _ digest: SecretDigest, at uptime: Duration) {
            if key.deactivatedAt != nil {
                keys[digest] = nil
                deactivated[digest] = key
            } else if deactivated[digest] == nil, keys[digest].map({ $0.version < key.version }) ?? true {
                keys[digest] = key
                changedAt = max(changedAt ?? uptime, uptime)
            }
        }

        /// Returns true if the last recorded use is more than a minute old, the resolution of `lastUsedAt`.
        func isUseDue(of digest: SecretDigest, at now: Timestamp) -> Bool {
            keys[digest]?.lastUsedAt.map { $0.advanced(by: .seconds(60)) < now } ?? true
        }
    }

    /// The time between two renewals of the copy.
    private static let interval = Duration.seconds(1)

    private let bootstrap: BootstrapKey?
    private let store: any AdminKeyStore
    private let maxStaleness: Duration
    private let time: TimeSource
    private let logger: Logger
    private let copy: Mutex<Copy>
    /// Callers with unknown keys that wait for the next renewal of the copy.
    private let renewals: ReadWaiters

    /// - Parameters:
    ///   - bootstrap: nil if the operator configured none.
    ///   - maxStaleness: the maximum age of the copy.
    public init(
        bootstrap: BootstrapKey?, store: any AdminKeyStore, maxStaleness: Duration = .seconds(3_600),
        lookupsPerSecond: Int = 20, time: TimeSource = .system, logger: Logger
    ) {
        self.bootstrap = bootstrap
        self.store = store
        self.maxStaleness = maxStaleness
        self.time = time
        self.logger = logger
        copy = Mutex(
            Copy(budget: TokenBucket(perSecond: lookupsPerSecond, burst: lookupsPerSecond * 5, now: time.uptime())))
        renewals = ReadWaiters(time: time)
    }

    /// Authenticates a credential, and records a use if it is a valid admin key with one of the permissions. A text
    /// that cannot be an admin key costs no statement, nor does a key that is known to be deactivated.
    public func authenticate(
        _ credential: some StringProtocol, for permissions: [AdminPermission]
    ) async throws(StoreError) -> AdminAuthentication {
        switch identify(credential) {
        case .bootstrap: return .valid(.bootstrap)
        case .malformed: return .unknown
        case .digest(let digest):
            let (uptime, now) = (time.uptime(), time.now())
            let (known, isLookedUp) = copy.withLock { copy in
                let known = copy[digest]
                if known?.deactivatedAt != nil { return (known, false) }
                return (known, known?.isActive(at: now) == true || copy.budget.take(now: uptime))
            }
            if let known, !isLookedUp { return known.authentication(at: now) }
            if !isLookedUp, try await !isKnownAfterRenewal(digest) { return .unknown }
            guard let key = try await store.adminKey(with: digest, using: permissions) else { return .unknown }
            copy.withLock { $0.note(key, digest, at: uptime) }
            return key.authentication(at: time.now())
        }
    }

    /// Waits for the next renewal of the copy, which includes every key that was created before the call.
    private func isKnownAfterRenewal(_ digest: SecretDigest) async throws(StoreError) -> Bool {
        guard await renewals.next() == .worked else {
            throw StoreError(.unavailable, detail: "the admin keys could not be read in time")
        }
        return copy.withLock { $0[digest] != nil }
    }

    /// Authenticates a credential against the copy, without a statement and without waiting. If it is a valid admin key
    /// with the permission, its use is recorded later. Throws if the copy is too old.
    public func authenticateFromMemory(
        _ credential: some StringProtocol, for permission: AdminPermission
    ) throws(StoreError) -> AdminAuthentication {
        switch identify(credential) {
        case .bootstrap: return .valid(.bootstrap)
        case .malformed: return .unknown
        case .digest(let digest):
            let (uptime, now) = (time.uptime(), time.now())
            let authentication: AdminAuthentication? = copy.withLock { copy in
                guard let readAt = copy.readAt, uptime - readAt <= max(maxStaleness, Self.interval * 5) else {
                    return nil
                }
                let authentication = copy[digest]?.authentication(at: now) ?? .unknown
                if case .valid(let admin) = authentication, admin.may(permission), copy.isUseDue(of: digest, at: now) {
                    copy.used.insert(digest)
                }
                return authentication
            }
            if let authentication { return authentication }
            throw StoreError(.unavailable, detail: "the admin keys have not been read recently")
        }
    }

    /// Returns the reach of the admin keys that can administer admin keys now.
    public func reach() async throws(StoreError) -> AdminReach {
        try await refresh()
        let now = time.now()
        return copy.withLock { $0.keys.values.map { $0.reach(at: now) }.max() ?? .none }
    }

    /// Records the uses that were checked against the copy alone.
    func noteUses() async throws(StoreError) {
        for digest in copy.withLock({ $0.used }) {
            _ = try await store.adminKey(with: digest, using: AdminPermission.allCases)
            copy.withLock { _ = $0.used.remove(digest) }
        }
    }

    /// Reads the admin keys and renews the copy. Returns false if the copy was changed or read after this read began:
    /// then it stays as it is.
    @discardableResult
    public func refresh() async throws(StoreError) -> Bool {
        let start = time.uptime()
        let keys = try await store.adminKeysByDigest()
        let revived: [KeyID]? = copy.withLock { copy in
            guard start >= copy.readAt ?? start, start >= copy.changedAt ?? start else { return nil }
            for (digest, key) in keys where key.deactivatedAt != nil { copy.deactivated[digest] = key }
            copy.keys = keys.filter { copy.deactivated[$0.key] == nil }
            copy.readAt = start
            return keys.filter { $0.value.deactivatedAt == nil && copy.deactivated[$0.key] != nil }.map(\.value.id)
        }
        guard let revived else { return false }
        if revived.isEmpty { return true }
        try await store.writeBack(deactivated: revived)
        for id in revived {
            logger.warning(
                "the database had lost the deactivation of an admin key: it was written back",
                metadata: ["admin_key_id": "\(id)"])
        }
        return true
    }

    /// Records a key that this instance changed, before the caller gets the result. Other instances see the change at
    /// the next renewal of their copies.
    func note(_ key: AdminKey) {
        copy.withLock { copy in
            let now = time.uptime()
            copy.changedAt = now
            guard let digest = copy.keys.first(where: { $0.value.id == key.id })?.key else { return }
            copy.note(key, digest, at: now)
        }
    }

    /// Records a key that this instance created.
    func note(_ key: AdminKey, _ digest: SecretDigest) {
        copy.withLock { $0.note(key, digest, at: time.uptime()) }
    }

    /// Renews the copy periodically until the task is cancelled.
    public func run() async {
        var isFailing = false
        renewals.follow(true)
        defer { renewals.follow(false) }
        async let _ = expireWaits()
        while true {
            do throws(StoreError) {
                try await renew()
                // Last, because the copy must be renewed even if the database accepts no writes.
                try await noteUses()
                isFailing = false
            } catch {
                // A statement that shutdown cancels is not a database failure.
                if Task.isCancelled { return }
                if !isFailing { logger.warning("admin keys cannot be read", metadata: ["error": "\(error)"]) }
                isFailing = true
            }
            guard (try? await time.sleep(Self.interval)) != nil else { return }
        }
    }

    /// Ends waits that have timed out, even while a read hangs.
    private func expireWaits() async {
        while (try? await time.sleep(.milliseconds(250))) != nil { renewals.expire() }
    }

    private func renew() async throws(StoreError) {
        let number = renewals.begin()
        do throws(StoreError) {
            // If the copy was not renewed, the waiting callers stay for the next read.
            if try await refresh() { renewals.end(number, worked: true) }
        } catch {
            renewals.end(number, worked: false)
            throw error
        }
    }

    private enum Identity {
        case bootstrap
        case digest(SecretDigest)
        case malformed
    }

    private func identify(_ credential: some StringProtocol) -> Identity {
        let bytes = Array(credential.utf8)
        if let bootstrap, bootstrap.matches(bytes) { return .bootstrap }
        let prefix = Array("\(AdminKey.prefix)_".utf8)
        return bytes.withUnsafeBytes { bytes in
            bytes.starts(with: prefix) && TokenFormat.isWellFormed(bytes)
                ? .digest(SecretDigest(hashing: bytes)) : .malformed
        }
    }
}
