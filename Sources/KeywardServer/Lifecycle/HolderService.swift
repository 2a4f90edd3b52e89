import AuthKeys
import FoundationEssentials
import Gateway
import KeyAdministration
import Logging

/// Answers holders of keys at the gateway with the services of the same process.
///
/// Holders are many, and the database is shared with the admins. So a key is read once a second at most, one request of
/// a key for a rotation runs at a time, and both are bounded in number and in time.
actor HolderService: SelfService {
    /// The maximum number of reads, and of rotations, at a time.
    private static let concurrency = 8
    /// The time until a holder is answered without the database.
    private static let readTimeout = Duration.seconds(2)
    private static let rotationTimeout = Duration.seconds(10)
    /// The time for which a read answers later requests.
    private static let freshness = Duration.seconds(1)
    /// The maximum number of keys whose reads, and whose refusals, are kept.
    private static let kept = 1_000

    private let service: AuthKeyService
    private let logger: Logger
    private let time: TimeSource
    private var reads: [KeyID: Task<SelfRecord?, Never>] = [:]
    private var known: [KeyID: (record: SelfRecord, at: Duration)] = [:]
    private var rotating: Set<KeyID> = []
    /// The newest secrets of keys that were rotated a moment ago, and the uptimes before which they rotate nothing.
    private var pauses: [KeyID: (newest: SecretDigest, until: Duration)] = [:]

    init(_ service: AuthKeyService, logger: Logger, time: TimeSource = .system) {
        self.service = service
        self.logger = logger
        self.time = time
    }

    func record(of key: KeyID) async -> SelfRecord? {
        if let known = known[key], time.uptime() - known.at < Self.freshness { return known.record }
        if let read = reads[key] { return await read.value }
        guard reads.count < Self.concurrency else { return nil }
        let read = Task { [service, logger] in await Self.read(key, service, logger) }
        reads[key] = read
        let record = await read.value
        reads[key] = nil
        if known.count >= Self.kept { known.removeAll() }
        if let record { known[key] = (record, time.uptime()) }
        return record
    }

    private static func read(_ key: KeyID, _ service: AuthKeyService, _ logger: Logger) async -> SelfRecord? {
        await within(readTimeout) {
            do throws(AuthKeyError) {
                guard let (stored, requests) = try await service.holderRecord(of: key) else { return nil }
                return SelfRecord(
                    allowsRotation: stored.selfRotation, requestsToday: requests, credits: stored.credits)
            } catch {
                logger.debug("a key could not be read for its holder", metadata: ["error": "\(error)"])
                return nil
            }
        }
    }

    func rotate(_ request: SelfRotationRequest) async throws(SelfServiceFault) -> SelfRotation {
        let key = request.key
        let grace = try Self.grace(request.body)
        let now = time.uptime()
        if let pause = pauses[key], pause.until > now, pause.newest == request.secret {
            throw .rotatedRecently(retryAfter: Self.seconds(pause.until - now))
        }
        // The other request of the key may be about to succeed.
        guard !rotating.contains(key) else { throw .rotatedRecently(retryAfter: 1) }
        guard rotating.count < Self.concurrency else { throw .unavailable }
        rotating.insert(key)
        defer { rotating.remove(key) }
        // A rotation that takes longer is cancelled, and may have been committed.
        let result = await Self.within(Self.rotationTimeout) { [service] in
            await Self.rotate(request, grace: grace, service)
        }
        switch result {
        case .success(.rotated(let issued, let rotation))?:
            known[key] = nil
            pause(key, with: issued.token.digest, for: HolderRotation.interval)
            return SelfRotation(
                id: rotation, value: issued.token.value, redactedValue: issued.key.redactedValue,
                previousExpiresAt: issued.key.previous?.expiresAt)
        case .success(.refused(let refusal))?:
            if case .tooSoon(let rest) = refusal { pause(key, with: request.secret, for: rest) }
            throw Self.fault(refusal)
        case .failure(let error)?:
            logger.warning(
                "a key could not be rotated for its holder",
                metadata: ["key_id": "\(key)", "request_id": "\(request.requestID)", "error": "\(error)"])
            if case .store(let failure, _) = error, failure.kind == .outcomeUnknown { throw .outcomeUnknown }
            throw .unavailable
        case nil:
            logger.warning(
                "a rotation by the holder of a key took too long",
                metadata: ["key_id": "\(key)", "request_id": "\(request.requestID)"])
            throw .outcomeUnknown
        }
    }

    private static func rotate(
        _ request: SelfRotationRequest, grace: Duration, _ service: AuthKeyService
    ) async -> Result<AuthKeyService.HolderRotationResult, AuthKeyError> {
        do throws(AuthKeyError) {
            return .success(
                try await service.rotate(
                    request.key, byHolderOf: request.secret, grace: grace,
                    from: CallOrigin(address: request.address, requestID: request.requestID)))
        } catch {
            return .failure(error)
        }
    }

    private static func fault(_ refusal: HolderRefusal) -> SelfServiceFault {
        switch refusal {
        case .ended: .keyEnded
        case .notAllowed: .rotationNotAllowed
        case .secretReplaced: .secretReplaced
        case .tooSoon(let rest): .rotatedRecently(retryAfter: seconds(rest))
        }
    }

    private func pause(_ key: KeyID, with newest: SecretDigest, for duration: Duration) {
        if pauses.count >= Self.kept {
            let now = time.uptime()
            pauses = pauses.filter { $0.value.until > now }
            if pauses.count >= Self.kept { pauses.removeAll() }
        }
        pauses[key] = (newest, time.uptime() + duration)
    }

    /// Returns the seconds of a duration, rounded up, at least 1.
    private static func seconds(_ duration: Duration) -> Int {
        let (seconds, rest) = duration.components
        return max(1, Int(clamping: seconds) + (rest > 0 ? 1 : 0))
    }

    /// Returns the result of an operation; nil if it takes longer. It is then cancelled.
    private static func within<R: Sendable>(
        _ limit: Duration, _ body: @escaping @Sendable () async -> R?
    ) async -> R? {
        await withTaskGroup(of: R?.self) { group in
            group.addTask { await body() }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    /// Reads the body of a rotation. Members other than `grace_seconds` are refused: a misspelt one would leave the
    /// default in force.
    static func grace(_ body: [UInt8]) throws(SelfServiceFault) -> Duration {
        if body.isEmpty { return FieldRules.defaultGrace }
        do {
            try body.withUnsafeBytes { try JSONScanner.check($0) }
        } catch {
            throw .invalidJSON
        }
        guard case .object(let members)? = try? JSONDecoder().decode(JSONValue.self, from: Data(body)) else {
            throw .invalidJSON
        }
        let limit = FieldRules.graceLimit.components.seconds
        guard members.keys.allSatisfy({ $0 == "grace_seconds" }) else { throw .invalidGrace(limit: limit) }
        switch members["grace_seconds"] {
        case nil, .null?: return FieldRules.defaultGrace
        case .integer(let seconds)? where (0...limit).contains(seconds): return .seconds(seconds)
        default: throw .invalidGrace(limit: limit)
        }
    }
}
