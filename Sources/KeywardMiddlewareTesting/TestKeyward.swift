public import AuthKeys
public import HTTPCredentials
import KeyAdministration
public import KeywardGuard
import Logging
import ServiceLifecycle
import Synchronization

/// A service that verifies the keys that a test issues. Index, limits, expiry and responses are those of `Keyward`. It
/// keeps the keys in memory and needs no database.
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
        // Keys are verified until a failure is recorded.
        freshness = IndexFreshness(maxStaleness: .zero)
        freshness.recordSync(startedAt: .zero)
        let verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: EmptyFinder(), index: index),
            limiter: Limiter(time: clock.shifted), time: clock.time,
            logger: Logger(label: "keyward.test", factory: { _ in SwiftLogNoOpLogHandler() }))
        requests = options.requests(verifiedBy: verifier, time: clock.time)
    }

    /// Issues a key. The rules of the admin API apply to its attributes.
    /// - Parameters:
    ///   - expiresIn: the time from now until the key expires; nil for never. A key with a negative time has expired.
    ///   - notBefore: the time from now during which the key grants no access yet.
    ///   - limits: the limits of the key, whose units `advance(by:)` brings back.
    public func issue(
        name: String = "test", owner: String? = nil, scopes: [String] = [], expiresIn: Duration? = nil,
        notBefore: Duration? = nil, allowedMethods: [String] = [], allowedPaths: [String] = [],
        allowedCIDRs: [String] = [], limits: [LimitRule] = [], reportOnly: [String] = []
    ) throws -> TestKey {
        let now = clock.now
        let attributes = try FieldRules.checked(
            KeyAttributes(
                name: name, owner: owner, scopes: scopes, expiresAt: expiresIn.map { now.advanced(by: $0) },
                notBefore: notBefore.map { now.advanced(by: $0) }, allowedMethods: allowedMethods,
                allowedPaths: allowedPaths, allowedCIDRs: allowedCIDRs, limits: limits, reportOnly: reportOnly))
        let token = Token.generate()
        let key = TestKey(id: .generate(at: now), token: token.value, digest: token.digest)
        records.withLock { $0[key.id] = Record(attributes: attributes) }
        index.apply(attributes.entry(of: key.digest, id: key.id, version: 1))
        return key
    }

    /// Changes the attributes of a key, such as its scopes, `enabled` or its limits.
    public func update(_ key: TestKey, _ change: (inout KeyAttributes) throws -> Void) throws {
        try edit(key) { record in
            var attributes = record.attributes
            try change(&attributes)
            record.attributes = try FieldRules.checked(attributes)
        }
    }

    /// Revokes a key permanently.
    public func deactivate(_ key: TestKey) {
        edit(key) { $0.isDeactivated = true }
    }

    /// Makes a key expire now.
    public func expire(_ key: TestKey) {
        let now = clock.now
        edit(key) { $0.attributes.expiresAt = now }
    }

    /// Advances the clock that decides the validity of keys.
    public func advance(by duration: Duration) {
        clock.advance(by: duration)
    }

    /// True while keys can be verified. While it is false, requests with a key get the status 503.
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

/// The system's clock with an offset.
private final class Clock: Sendable {
    private let offset = Mutex(Duration.zero)

    var now: Timestamp { .now.advanced(by: offset.withLock(\.self)) }

    var time: TimeSource {
        TimeSource(now: { self.now }, uptime: TimeSource.system.uptime, sleep: TimeSource.system.sleep)
    }

    /// The clock of the limits: its uptime advances too.
    var shifted: TimeSource {
        TimeSource(
            now: { self.now }, uptime: { TimeSource.system.uptime() + self.offset.withLock(\.self) },
            sleep: TimeSource.system.sleep)
    }

    func advance(by duration: Duration) {
        offset.withLock { $0 += duration }
    }
}

/// A finder that finds no keys: all keys are in memory.
private struct EmptyFinder: KeyFinder {
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] { [] }
}
