public import AuthKeys
public import HTTPCredentials
public import KeyAdministration
public import KeywardGuard
import Logging
import ServiceLifecycle
import Synchronization

/// Verifies keys that a test makes: index, limits, expiry and answers are the real ones, in memory. No database is needed.
public final class TestKeyward: KeyVerification {
    public let options: KeywardOptions
    public let requests: RequestVerifier

    private struct Record {
        var attributes: KeyAttributes
        var version: UInt32 = 1
        var isDeactivated = false
    }

    private let index = KeyIndex()
    private let freshness: IndexFreshness
    private let clock = Clock()
    private let records = Mutex<[KeyID: Record]>([:])

    public init(options: KeywardOptions = KeywardOptions()) {
        self.options = options
        // Served until the first look that fails.
        freshness = IndexFreshness(maxStaleness: .zero)
        freshness.recordSync(startedAt: .zero)
        let verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: NothingElse(), index: index),
            time: clock.time, logger: Logger(label: "keyward.test", factory: { _ in SwiftLogNoOpLogHandler() }))
        requests = options.requests(verifiedBy: verifier, time: clock.time)
    }

    /// Makes a key. What is said of it follows the rules of the admin API.
    /// - Parameters:
    ///   - expiresIn: when it ends, from now on; what is past has ended. Nil for never.
    ///   - notBefore: how long it opens nothing, from now on.
    public func issue(
        name: String = "test", owner: String? = nil, scopes: [String] = [], expiresIn: Duration? = nil,
        notBefore: Duration? = nil, allowedMethods: [String] = [], allowedPaths: [String] = [],
        allowedCIDRs: [String] = [], reportOnly: [String] = []
    ) throws -> TestKey {
        let now = clock.now
        let attributes = try FieldRules.checked(
            KeyAttributes(
                name: name, owner: owner, scopes: scopes, expiresAt: expiresIn.map { now.advanced(by: $0) },
                notBefore: notBefore.map { now.advanced(by: $0) }, allowedMethods: allowedMethods,
                allowedPaths: allowedPaths, allowedCIDRs: allowedCIDRs, reportOnly: reportOnly))
        let token = Token.generate()
        let key = TestKey(id: .generate(at: now), token: token.value, digest: token.digest)
        records.withLock { $0[key.id] = Record(attributes: attributes) }
        index.apply(attributes.entry(of: key.digest, id: key.id, version: 1))
        return key
    }

    /// Changes what is said of a key: its scopes, its pause (`enabled`), its limits.
    public func update(_ key: TestKey, _ change: (inout KeyAttributes) throws -> Void) throws {
        try edit(key) { record in
            var attributes = record.attributes
            try change(&attributes)
            record.attributes = try FieldRules.checked(attributes)
        }
    }

    /// Revokes a key for good.
    public func deactivate(_ key: TestKey) {
        edit(key) { $0.isDeactivated = true }
    }

    /// Ends a key now, as its expiry does.
    public func expire(_ key: TestKey) {
        let now = clock.now
        edit(key) { $0.attributes.expiresAt = now }
    }

    /// Moves the clock that keys are judged by.
    public func advance(by duration: Duration) {
        clock.advance(by: duration)
    }

    /// Whether keys can be verified; if not, requests with a key are answered 503.
    public var isAvailable: Bool {
        get { freshness.isServing }
        set { newValue ? freshness.recordSync(startedAt: clock.time.uptime()) : freshness.recordFailure() }
    }

    public func ready() async throws {}

    /// Waits for graceful shutdown.
    public func run() async throws {
        try await gracefulShutdown()
    }

    private func edit(_ key: TestKey, _ change: (inout Record) throws -> Void) rethrows {
        try records.withLock { records in
            guard var record = records[key.id] else { return }
            try change(&record)
            record.version += 1
            records[key.id] = record
            index.apply(
                record.attributes.entry(
                    of: key.digest, id: key.id, version: record.version, deactivated: record.isDeactivated))
        }
    }
}

/// The system's clock, moved.
private final class Clock: Sendable {
    private let offset = Mutex(Duration.zero)

    var now: Timestamp { .now.advanced(by: offset.withLock(\.self)) }

    var time: TimeSource {
        TimeSource(now: { self.now }, uptime: TimeSource.system.uptime, sleep: TimeSource.system.sleep)
    }

    func advance(by duration: Duration) {
        offset.withLock { $0 += duration }
    }
}

/// No key is anywhere but in memory.
private struct NothingElse: KeyFinder {
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] { [] }
}
