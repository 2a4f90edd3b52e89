public import AuthKeys
import Synchronization

/// The fake of `Store`: the same promises, in memory, with faults that a test may switch on.
public final class InMemoryStore: Store, ChangeHints {
    struct Secret {
        var secret: NewSecret
        var expiresAt: Timestamp?
    }

    struct Row {
        var key: NewKey
        var attributes: KeyAttributes
        /// Oldest first.
        var secrets: [Secret]
        var createdAt: Timestamp
        var updatedAt: Timestamp
        var deactivatedAt: Timestamp?
        var version: Int64 = 1
        var changed: UInt64
    }

    struct State {
        var rows: [KeyID: Row] = [:]
        var claims: [SecretDigest: (request: SecretDigest, id: KeyID)] = [:]
        var buried: [(entry: KeyEntry, changed: UInt64)] = []
        var position: UInt64 = 1
        var history = "one"
        var isDown = false
        var isClosed = false
        var finds = 0
        var trail = InMemoryTrail()
        var adminKeys: [KeyID: (digest: SecretDigest, key: AdminKey)] = [:]

        /// The key, if the caller may see it.
        func row(_ id: KeyID, for call: AdminCall) -> Row? {
            rows[id].flatMap { call.admin.sees(owner: $0.attributes.owner) ? $0 : nil }
        }

        /// Keeps a changed row, as the next version.
        mutating func keep(_ row: inout Row, now: Timestamp) {
            position += 1
            row.updatedAt = now
            row.version += 1
            row.changed = position
            rows[row.key.id] = row
        }
    }

    let state = Mutex(State())
    let time: TimeSource
    public let hints: AsyncStream<Void>
    private let hint: AsyncStream<Void>.Continuation

    public init(time: TimeSource = .system) {
        self.time = time
        (hints, hint) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// While true, every call fails as unavailable.
    public var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    /// How many times `find` was called.
    public var finds: Int { state.withLock { $0.finds } }

    /// Begins another history, as a restored database does.
    public func beginHistory(_ name: String) {
        state.withLock { $0.history = name }
    }

    /// Removes a key without leaving a trace in the feed.
    public func forget(_ id: KeyID) {
        state.withLock { _ = $0.rows.removeValue(forKey: id) }
    }

    public func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey] {
        let now = time.now()
        return try read { state in
            state.rows.values.map { Self.authKey($0, now: now) }.filter { key in
                if let owner = query.owner, key.owner != owner { return false }
                if let label = query.label {
                    guard let value = key.labels[label.name] else { return false }
                    if let wanted = label.value, wanted != value { return false }
                }
                if let text = query.text?.lowercased(), !key.name.lowercased().contains(text),
                    !key.description.lowercased().contains(text)
                {
                    return false
                }
                switch query.status {
                case .active: return key.isActive(at: now)
                case .disabled: return !key.enabled && key.deactivatedAt == nil
                case .deactivated: return key.deactivatedAt != nil
                case .expired: return key.deactivatedAt == nil && key.expiresAt.map { $0 <= now } ?? false
                case nil: return true
                }
            }
            .sorted { Self.order($0) < Self.order($1) }
            .drop { key in
                query.after.map { Self.order(key) <= (-$0.createdAt.microseconds, Array($0.name.utf8), $0.id.bytes) }
                    ?? false
            }
            .prefix(query.limit).map(\.self)
        }
    }

    public func key(_ id: KeyID) async throws(StoreError) -> AuthKey? {
        let now = time.now()
        return try read { $0.rows[id].map { Self.authKey($0, now: now) } }
    }

    public func create(
        _ key: NewKey, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreateOutcome {
        let now = time.now()
        let outcome: Result<CreateOutcome, StoreError> = try read { state in
            if let claim, let earlier = state.claims[claim.key] {
                return .success(earlier.request == claim.request ? .replayed(earlier.id) : .claimedOtherwise)
            }
            guard state.rows[key.id] == nil,
                !state.rows.values.contains(where: { $0.secrets.contains { $0.secret.digest == key.digest } })
            else {
                return .failure(StoreError(.conflict, detail: "duplicate"))
            }
            state.position += 1
            let row = Row(
                key: key, attributes: key.attributes, secrets: [Secret(secret: key.secret)], createdAt: now,
                updatedAt: now,
                changed: state.position)
            state.rows[key.id] = row
            if let claim { state.claims[claim.key] = (claim.request, key.id) }
            var changes = AuditChanges(from: nil, to: key.attributes)
            changes.setSecret(to: key.secret.redactedValue)
            let event = NewAuditEvent(call, .keyCreate, subject: key.id, owner: key.owner, changes: changes)
            state.trail.append([event], now: now)
            return .success(.created(Self.authKey(row, now: now)))
        }
        hint.yield()
        return try outcome.get()
    }

    public func deactivate(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? {
        let now = time.now()
        let entries: [KeyEntry]? = try read { state in
            guard var row = state.row(id, for: call) else { return nil }
            if row.deactivatedAt == nil {
                row.deactivatedAt = now
                state.keep(&row, now: now)
                var changes = AuditChanges()
                changes.set("deactivated_at", to: .string(now.description))
                state.trail.append(
                    [NewAuditEvent(call, .keyDeactivate, of: Self.authKey(row, now: now), changes)], now: now)
            }
            return Self.entries(row)
        }
        hint.yield()
        return entries
    }

    public func update(
        _ id: KeyID, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome {
        let now = time.now()
        let outcome: UpdateOutcome = try read { state in
            guard var row = state.row(id, for: call) else { return .unknown }
            if let version, version != row.version { return .outdated }
            do throws(AuthKeyError) {
                let wanted = try change(row.attributes)
                if wanted != row.attributes {
                    let event = NewAuditEvent(
                        call, .keyUpdate, of: Self.authKey(row, now: now),
                        AuditChanges(from: row.attributes, to: wanted))
                    state.trail.append([event], now: now)
                    row.attributes = wanted
                    state.keep(&row, now: now)
                }
            } catch {
                return .refused(error)
            }
            return .updated(ChangedKey(key: Self.authKey(row, now: now), entries: Self.entries(row)))
        }
        hint.yield()
        return outcome
    }

    public func delete(
        _ id: KeyID, version: Int64?, by call: AdminCall
    ) async throws(StoreError) -> DeleteOutcome {
        let now = time.now()
        let outcome: DeleteOutcome = try read { state in
            guard let row = state.row(id, for: call) else { return .unknown }
            if let version, version != row.version { return .outdated }
            guard row.deactivatedAt != nil else { return .notDeactivated }
            state.position += 1
            state.rows[id] = nil
            let key = Self.authKey(row, now: now)
            var changes = AuditChanges(from: row.attributes, to: nil)
            changes.setSecret(from: key.redactedValue)
            state.trail.append([NewAuditEvent(call, .keyDelete, of: key, changes)], now: now)
            let entries = row.secrets.map {
                KeyEntry(
                    digest: $0.secret.digest, keyID: id, version: UInt32(clamping: row.version + 1), state: .deleted,
                    name: "")
            }
            state.buried += entries.map { ($0, state.position) }
            return .deleted(entries)
        }
        hint.yield()
        return outcome
    }

    public func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> RotateOutcome {
        let now = time.now()
        let outcome: RotateOutcome = try read { state in
            guard var row = state.row(id, for: call) else { return .unknown }
            if let claim, let earlier = state.claims[claim.key] {
                return earlier.request == claim.request ? .replayed(earlier.id) : .claimedOtherwise
            }
            if let version, version != row.version { return .outdated }
            guard row.deactivatedAt == nil, row.attributes.expiresAt.map({ $0 > now }) ?? true else { return .ended }
            let key = Self.authKey(row, now: now)
            state.trail.append(
                [NewAuditEvent(call, .keyRotate, of: key, AuditChanges(of: key, by: rotation))], now: now)
            let live = row.secrets.indices.filter { row.secrets[$0].expiresAt.map { $0 > now } ?? true }
            for place in live {
                let end = place == live.last ? now.advanced(by: rotation.grace) : now
                row.secrets[place].expiresAt = min(row.secrets[place].expiresAt ?? end, end)
            }
            row.secrets.append(Secret(secret: rotation.secret))
            state.keep(&row, now: now)
            if let claim { state.claims[claim.key] = (claim.request, rotation.id) }
            return .rotated(ChangedKey(key: Self.authKey(row, now: now), entries: Self.entries(row)))
        }
        hint.yield()
        return outcome
    }

    public func endPreviousSecrets(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? {
        let now = time.now()
        let entries: [KeyEntry]? = try read { state in
            guard var row = state.row(id, for: call) else { return nil }
            let live = row.secrets.indices.dropLast().filter { row.secrets[$0].expiresAt.map { $0 > now } ?? true }
            guard let last = live.last else { return Self.entries(row) }
            for place in live { row.secrets[place].expiresAt = now }
            state.keep(&row, now: now)
            var changes = AuditChanges()
            changes.set("previous_secret", from: .string(row.secrets[last].secret.redactedValue))
            let key = Self.authKey(row, now: now)
            state.trail.append([NewAuditEvent(call, .keyEndPreviousSecret, of: key, changes)], now: now)
            return Self.entries(row)
        }
        hint.yield()
        return entries
    }

    public func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] {
        state.withLock { $0.finds += 1 }
        return try read { state in
            state.rows.values.flatMap(Self.entries).filter { digests.contains($0.digest) }
        }
    }

    public func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        let (entries, reached): ([KeyEntry], Watermark) = try read { state in
            (
                state.rows.values.filter { $0.changed >= watermark?.position ?? 0 }.flatMap(Self.entries)
                    + state.buried.filter { $0.changed >= watermark?.position ?? 0 }.map(\.entry),
                Watermark(history: state.history, position: state.position + 1)
            )
        }
        for entry in entries { apply(entry) }
        return ChangeBatch(watermark: reached, count: entries.count, skipped: 0)
    }

    public func close() async {
        state.withLock { $0.isClosed = true }
    }

    func read<R: Sendable>(_ body: (inout State) -> R) throws(StoreError) -> R {
        let result: Result<R, StoreError> = state.withLock { state in
            guard !state.isDown, !state.isClosed else { return .failure(StoreError(.unavailable, detail: "down")) }
            return .success(body(&state))
        }
        return try result.get()
    }

    private static func order(_ key: AuthKey) -> (Int64, [UInt8], [UInt8]) {
        (-key.createdAt.microseconds, Array(key.name.utf8), key.id.bytes)
    }

    private static func authKey(_ row: Row, now: Timestamp) -> AuthKey {
        let newest = row.secrets.last?.secret ?? row.key.secret
        let before = row.secrets.dropLast().last
        let previous = before.flatMap { before in
            before.expiresAt.flatMap { end in
                end > now
                    ? AuthKey.PreviousSecret(
                        prefix: before.secret.prefix.description, lastFour: before.secret.lastFour, expiresAt: end)
                    : nil
            }
        }
        return AuthKey(
            id: row.key.id, attributes: row.attributes, prefix: newest.prefix.description, lastFour: newest.lastFour,
            previous: previous, deactivatedAt: row.deactivatedAt, createdAt: row.createdAt, updatedAt: row.updatedAt,
            version: row.version)
    }

    private static func entries(_ row: Row) -> [KeyEntry] {
        row.secrets.map { secret in
            row.attributes.entry(
                of: secret.secret.digest, id: row.key.id, version: UInt32(clamping: row.version),
                deactivated: row.deactivatedAt != nil, secretExpiresAt: secret.expiresAt)
        }
    }
}

private func < (left: (Int64, [UInt8], [UInt8]), right: (Int64, [UInt8], [UInt8])) -> Bool {
    if left.0 != right.0 { return left.0 < right.0 }
    if left.1 != right.1 { return left.1.lexicographicallyPrecedes(right.1) }
    return left.2.lexicographicallyPrecedes(right.2)
}

private func <= (left: (Int64, [UInt8], [UInt8]), right: (Int64, [UInt8], [UInt8])) -> Bool {
    !(right < left)
}
