public import AuthKeys
public import KeyAdministration
import RequestLog
import Synchronization

/// An in-memory fake of `Store` with the same guarantees, and with faults that a test can switch on.
public final class InMemoryStore: Store, ChangeHints {
    struct Secret {
        let digest: SecretDigest
        /// The beginning of the secret.
        let prefix: String
        let lastFour: String
        var createdAt: Timestamp
        var expiresAt: Timestamp?

        init(_ secret: NewSecret, at now: Timestamp) {
            createdAt = now
            (digest, prefix, lastFour) = (secret.digest, secret.shownPrefix, secret.lastFour)
        }

        init(_ secret: ImportedSecret, at now: Timestamp) {
            createdAt = now
            (digest, prefix, lastFour) = (secret.digest, secret.prefix, secret.lastFour)
        }
    }

    struct Row {
        let id: KeyID
        var attributes: KeyAttributes
        /// Oldest first.
        var secrets: [Secret]
        var createdAt: Timestamp
        var updatedAt: Timestamp
        var deactivatedAt: Timestamp?
        var version: Int64 = 1
        var changed: UInt64
        /// One count for each secret and day.
        var usage: [UsageCount] = []

        /// Returns the sum of all counts, or of those of one secret.
        func total(of digest: SecretDigest? = nil) -> UsageCount? {
            let counts = usage.filter { digest == nil || $0.digest == digest }
            return counts.dropFirst().reduce(into: counts.first) { $0?.add($1) }
        }
    }

    struct State {
        var rows: [KeyID: Row] = [:]
        var claims: [SecretDigest: (request: SecretDigest, id: KeyID)] = [:]
        var buried: [(entry: KeyEntry, changed: UInt64)] = []
        var position: UInt64 = 1
        var history = "one"
        /// The order for the next read.
        var order: FeedReading.Order?
        var isDown = false
        var breaksNextRead = false
        var losesAnswers = false
        var goesDownAfterNextChange = false
        /// The number of imports in progress.
        var stages = 0
        var isClosed = false
        var finds = 0
        var schemes: [TokenScheme] = []
        var trail = InMemoryTrail()
        var traffic = TrafficCounts()
        var limits: [Key: SharedLimits] = [:]
        var adminKeys: [KeyID: (digest: SecretDigest, key: AdminKey)] = [:]

        func holds(_ digest: SecretDigest) -> Bool {
            rows.values.contains { $0.secrets.contains { $0.digest == digest } }
        }

        /// Returns the key, if the caller may see it.
        func row(_ id: KeyID, for call: AdminCall) -> Row? {
            rows[id].flatMap { call.admin.sees(owner: $0.attributes.owner) ? $0 : nil }
        }

        /// Stores a changed row with the next version.
        mutating func keep(_ row: inout Row, now: Timestamp) {
            position += 1
            row.updatedAt = now
            row.version += 1
            row.changed = position
            rows[row.id] = row
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

    /// True while an import is in progress.
    public var isImporting: Bool { state.withLock { $0.stages > 0 } }

    /// Makes the next read of the changes fail after all entries were delivered.
    public func breakNextRead() { state.withLock { $0.breaksNextRead = true } }

    /// While true, every call fails as unavailable.
    public var isDown: Bool {
        get { state.withLock { $0.isDown } }
        set { state.withLock { $0.isDown = newValue } }
    }

    /// While true, every change is made and fails with an unknown outcome.
    public var losesAnswers: Bool {
        get { state.withLock { $0.losesAnswers } }
        set { state.withLock { $0.losesAnswers = newValue } }
    }

    /// Makes every call fail as unavailable once the next change has been made.
    public func goDownAfterNextChange() { state.withLock { $0.goesDownAfterNextChange = true } }

    /// The number of calls of `find`.
    public var finds: Int { state.withLock { $0.finds } }

    /// Begins another history, like a restored database.
    public func beginHistory(_ name: String) {
        state.withLock { $0.history = name }
    }

    /// The whole state, for `restore`.
    public struct Snapshot: Sendable {
        let state: State
    }

    public func snapshot() -> Snapshot { Snapshot(state: state.withLock { $0 }) }

    /// Restores a snapshot, except the counter of positions.
    public func restore(_ snapshot: Snapshot, as history: String, order: FeedReading.Order? = nil) {
        state.withLock { state in
            let position = state.position
            state = snapshot.state
            state.history = history
            state.position = position
            state.order = order
        }
        hint.yield()
    }

    /// Removes a key without a trace in the feed.
    public func forget(_ id: KeyID) {
        state.withLock { _ = $0.rows.removeValue(forKey: id) }
    }

    public func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey] {
        let now = time.now()
        func position(_ key: AuthKey) -> KeyPosition { KeyPosition(ListCursor(after: key, in: query.order)) }
        return try read { state in
            let keys = state.rows.values.filter { Self.matches($0, query, now: now) }
                .map { Self.authKey($0, now: now) }.sorted { position($0) < position($1) }
            let after = query.after.map(KeyPosition.init)
            return Array(keys.drop { key in after.map { position(key) <= $0 } ?? false }.prefix(query.limit))
        }
    }

    public func count(_ query: KeyQuery) async throws(StoreError) -> KeyCount {
        let now = time.now()
        let count = try read { state in state.rows.values.count { Self.matches($0, query, now: now) } }
        return KeyCount(count, isExact: count <= KeyCount.exactLimit)
    }

    private static func matches(_ row: Row, _ query: KeyQuery, now: Timestamp) -> Bool {
        let key = authKey(row, now: now)
        switch query.status {
        case .active: guard key.isActive(at: now) else { return false }
        case .disabled: guard !key.enabled && key.deactivatedAt == nil else { return false }
        case .deactivated: guard key.deactivatedAt != nil else { return false }
        case .expired: guard key.deactivatedAt == nil, let end = key.expiresAt, end <= now else { return false }
        case nil: break
        }
        if query.leavesOutDeactivated, key.deactivatedAt != nil { return false }
        if let time = query.expiringWithin {
            guard key.deactivatedAt == nil, let end = key.expiresAt, end > now, end <= now.advanced(by: time) else {
                return false
            }
        }
        if let time = query.unusedFor {
            guard max(key.usage.lastUsedAt ?? key.createdAt, key.createdAt) < now.advanced(by: .zero - time) else {
                return false
            }
        }
        if let owner = query.owner, !owner.matches(key.owner) { return false }
        if let label = query.label {
            guard let value = key.labels[label.name], label.value.map({ $0 == value }) ?? true else { return false }
        }
        if let scope = query.scope, !key.scopes.contains(scope) { return false }
        if query.prefix != nil || query.lastFour != nil {
            let isFound = row.secrets.contains { secret in
                secret.expiresAt.map { $0 > now } ?? true
                    && query.prefix.map { [$0, $0 + "_"].contains(secret.prefix) } ?? true
                    && query.lastFour.map { $0 == secret.lastFour } ?? true
            }
            guard isFound else { return false }
        }
        if let text = query.text?.lowercased() {
            if KeyQuery.isWordBeginning(text) {
                return Self.hasWord(text, in: key.name, after: KeyQuery.separatorsInNames)
                    || Self.hasWord(text, in: key.description, after: KeyQuery.separatorsInDescriptions)
            }
            return key.name.lowercased().contains(text) || key.description.lowercased().contains(text)
        }
        return true
    }

    private static func hasWord(_ text: String, in field: String, after separators: [String]) -> Bool {
        let field = field.lowercased()
        return field.hasPrefix(text) || separators.contains { field.contains($0 + text) }
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
            guard state.rows[key.id] == nil, !state.holds(key.digest) else {
                return .failure(StoreError(.conflict, detail: "duplicate"))
            }
            state.position += 1
            let row = Row(
                id: key.id, attributes: key.attributes, secrets: [Secret(key.secret, at: now)], createdAt: now,
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
                let changes = AuditChanges(from: row.attributes, to: wanted)
                if !changes.members.isEmpty {
                    let event = NewAuditEvent(call, .keyUpdate, of: Self.authKey(row, now: now), changes)
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
                    digest: $0.digest, keyID: id, version: UInt32(clamping: row.version + 1), state: .deleted,
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
            for index in live {
                let end = index == live.last ? now.advanced(by: rotation.grace) : now
                row.secrets[index].expiresAt = min(row.secrets[index].expiresAt ?? end, end)
            }
            row.secrets.append(Secret(rotation.secret, at: now))
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
            for index in live { row.secrets[index].expiresAt = now }
            state.keep(&row, now: now)
            var changes = AuditChanges()
            changes.set("previous_secret", from: .string("\(row.secrets[last].prefix)...\(row.secrets[last].lastFour)"))
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
        let isBroken = state.withLock { state in
            defer { state.breaksNextRead = false }
            return state.breaksNextRead
        }
        if isBroken { throw StoreError(.unavailable, detail: "broken off") }
        return batch(at: reached, since: watermark, count: entries.count)
    }

    public func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        let (entries, reached): ([KeyEntry], Watermark) = try read { state in
            (
                state.rows.values.flatMap(Self.entries).filter { entry in
                    let start = Array(entry.digest.bytes.prefix(8))
                    return !start.lexicographicallyPrecedes(range.lowerBound)
                        && range.upperBound.map { start.lexicographicallyPrecedes($0) } ?? true
                },
                Watermark(history: state.history, position: state.position + 1)
            )
        }
        for entry in entries { apply(entry) }
        return batch(at: reached, since: watermark, count: entries.count)
    }

    private func batch(at reached: Watermark, since watermark: Watermark?, count: Int) -> ChangeBatch {
        let order = state.withLock { state in
            defer { if watermark != nil { state.order = nil } }
            return watermark == nil ? nil : state.order
        }
        return ChangeBatch(
            reading: FeedReading(watermark: reached, nextTransaction: .max, order: order), count: count, skipped: 0)
    }

    public func writeBack(_ ends: [DisputedEnd]) async throws(StoreError) {
        let now = time.now()
        try read { state in
            for end in ends {
                guard var row = state.rows[end.keyID] else { continue }
                var changes = AuditChanges()
                switch end.kind {
                case .key:
                    guard row.deactivatedAt == nil else { continue }
                    row.deactivatedAt = now
                    changes.set("deactivated_at", to: .string(now.description))
                case .secret(let moment):
                    guard let index = row.secrets.firstIndex(where: { $0.digest == end.digest }),
                        row.secrets[index].expiresAt.map({ $0 > moment }) ?? true
                    else { continue }
                    row.secrets[index].expiresAt = moment
                }
                changes.set("reason", to: .string("the database had lost this"))
                state.keep(&row, now: now)
                let action: AuditAction = end.kind == .key ? .keyDeactivate : .keyEndPreviousSecret
                state.trail.append(
                    [
                        NewAuditEvent(
                            actor: .system, origin: CallOrigin(address: "", requestID: ""), action: action,
                            subject: row.id, owner: row.attributes.owner, changes: changes)
                    ], now: now)
            }
        }
        hint.yield()
    }

    public func order(_ order: FeedReading.Order, by call: AdminCall) async throws(StoreError) {
        let now = time.now()
        try read { state in
            state.order = order
            var changes = AuditChanges()
            changes.set("accept_database", to: .bool(order == .acceptDatabase))
            state.trail.append([NewAuditEvent(call, .instancesResync, changes: changes)], now: now)
        }
        hint.yield()
    }

    /// The stage of an import, invisible outside it.
    private final class Stage: ImportStage {
        private let store: InMemoryStore
        let keys = Mutex<[ImportedKey]>([])
        /// The changes of the store at the end.
        let kept = Mutex<(keys: [ImportedKey], schemes: [TokenScheme], event: NewAuditEvent?)>(([], [], nil))

        init(_ store: InMemoryStore) {
            self.store = store
        }

        func add(_ new: [ImportedKey]) async throws(StoreError) {
            try store.read { _ in }
            keys.withLock { $0 += new }
        }

        func removeDuplicates(naming limit: Int) async throws(StoreError) -> ImportDuplicates {
            let staged = keys.withLock(\.self)
            let found: [ImportDuplicate] = try store.read { state in
                var (digests, ids): (Set<SecretDigest>, Set<KeyID>) = ([], [])
                var elsewhere: Set<SecretDigest> = []
                return staged.compactMap { key in
                    let all = Set([key.digest] + key.elsewhere)
                    let isRepeatedSecret = elsewhere.contains(key.digest) || !digests.isDisjoint(with: all)
                    digests.insert(key.digest)
                    elsewhere.formUnion(key.elsewhere)
                    let isRepeatedID = !ids.insert(key.id).inserted
                    let reason: ImportDuplicate.Reason? =
                        all.contains(where: state.holds)
                        ? .knownSecret
                        : state.buried.contains { all.contains($0.entry.digest) }
                            ? .deletedSecret
                            : isRepeatedSecret
                                ? .repeatedSecret
                                : state.rows[key.id] != nil ? .knownID : isRepeatedID ? .repeatedID : nil
                    return reason.map { ImportDuplicate(line: key.line, reason: $0, isToken: key.isToken) }
                }
            }
            let lines = Set(found.map(\.line))
            keys.withLock { $0.removeAll { lines.contains($0.line) } }
            return ImportDuplicates(count: found.count, first: Array(found.prefix(limit)))
        }

        func keep(schemes: [TokenScheme], by call: AdminCall) async throws(StoreError) -> Int {
            let staged = keys.withLock(\.self)
            let event = NewAuditEvent(call, .keyImport, changes: AuditChanges(importing: staged.count))
            kept.withLock { $0 = (staged, schemes, event) }
            return staged.count
        }
    }

    public func stageImport<R: Sendable>(
        _ body: @Sendable (any ImportStage) async throws -> R
    ) async throws -> R {
        let stage = Stage(self)
        state.withLock { $0.stages += 1 }
        defer { state.withLock { $0.stages -= 1 } }
        let result = try await body(stage)
        let (keys, schemes, event) = stage.kept.withLock(\.self)
        let now = time.now()
        try read { state in
            state.position += 1
            for key in keys {
                state.rows[key.id] = Row(
                    id: key.id, attributes: key.attributes, secrets: [Secret(key.secret, at: key.createdAt)],
                    createdAt: key.createdAt,
                    updatedAt: key.updatedAt, deactivatedAt: key.deactivatedAt, changed: state.position)
            }
            if let event { state.trail.append([event], now: now) }
            for scheme in schemes where !state.schemes.contains(scheme) { state.schemes.append(scheme) }
        }
        hint.yield()
        return result
    }

    public func schemes() async throws(StoreError) -> [TokenScheme] {
        try read { $0.schemes }
    }

    public func close() async {
        state.withLock { $0.isClosed = true }
    }

    func read<R: Sendable>(_ body: (inout State) -> R) throws(StoreError) -> R {
        let result: Result<R, StoreError> = state.withLock { state in
            guard !state.isDown, !state.isClosed else { return .failure(StoreError(.unavailable, detail: "down")) }
            let before = state.trail.events.count
            let answer = body(&state)
            let isChanged = state.trail.events.count > before
            if isChanged, state.goesDownAfterNextChange { state.isDown = true }
            guard !isChanged || !state.losesAnswers else {
                return .failure(StoreError(.outcomeUnknown, detail: "lost"))
            }
            return .success(answer)
        }
        return try result.get()
    }

    public func record(_ usage: [UsageCount]) async throws(StoreError) {
        try read { state in
            for count in usage {
                guard var row = state.rows[count.keyID] else { continue }
                if let index = row.usage.firstIndex(where: { $0.digest == count.digest && $0.day == count.day }) {
                    row.usage[index].add(count)
                } else {
                    row.usage.append(count)
                }
                state.rows[count.keyID] = row
            }
        }
    }

    public func usage(_ id: KeyID, days: Int) async throws(StoreError) -> KeyUsageReport? {
        let today = Int64(time.now().microseconds / 86_400_000_000)
        return try read { state in
            guard let row = state.rows[id] else { return nil }
            let recent = row.usage.filter { Int64($0.day) > today - Int64(days) }
            func byDay(_ counts: [UsageCount]) -> [KeyUsageReport.Day] {
                Dictionary(grouping: counts, by: \.day).sorted { $0.key > $1.key }
                    .map { KeyUsageReport.Day(number: $0.key, requests: $0.value.reduce(0) { $0 + $1.requests }) }
            }
            let secrets = row.secrets.reversed().map { secret in
                let total = row.total(of: secret.digest)
                return KeyUsageReport.Secret(
                    prefix: secret.prefix, lastFour: secret.lastFour,
                    createdAt: secret.createdAt, expiresAt: secret.expiresAt, lastUsedAt: total?.lastUsedAt,
                    requests: total?.requests ?? 0, days: byDay(recent.filter { $0.digest == secret.digest }))
            }
            return KeyUsageReport(usage: Self.usage(row), days: byDay(recent), secrets: secrets)
        }
    }

    private static func usage(_ row: Row) -> KeyUsage {
        let total = row.total()
        return KeyUsage(
            lastUsedAt: total?.lastUsedAt, lastAddress: total?.address?.description, lastAgent: total?.agent,
            requests: total?.requests ?? 0)
    }

    static func authKey(_ row: Row, now: Timestamp) -> AuthKey {
        let newest = row.secrets.last
        let before = row.secrets.dropLast().last
        let previous = before.flatMap { before in
            before.expiresAt.flatMap { end in
                end > now
                    ? AuthKey.PreviousSecret(
                        prefix: before.prefix, lastFour: before.lastFour, expiresAt: end,
                        lastUsedAt: row.total(of: before.digest)?.lastUsedAt)
                    : nil
            }
        }
        return AuthKey(
            id: row.id, attributes: row.attributes, prefix: newest?.prefix ?? "", lastFour: newest?.lastFour ?? "",
            previous: previous, secretLastUsedAt: newest.flatMap { row.total(of: $0.digest)?.lastUsedAt },
            usage: usage(row), deactivatedAt: row.deactivatedAt, createdAt: row.createdAt, updatedAt: row.updatedAt,
            version: row.version)
    }

    static func entries(_ row: Row) -> [KeyEntry] {
        row.secrets.map { secret in
            row.attributes.entry(
                of: secret.digest, id: row.id, version: UInt32(clamping: row.version),
                deactivated: row.deactivatedAt != nil, secretExpiresAt: secret.expiresAt)
        }
    }
}

/// A position in a list: a number and texts that sort as the list does.
private struct KeyPosition: Comparable {
    private let moment: Int64
    private let name: [UInt8]
    private let id: [UInt8]
    /// True if the newest of the keys that were never used sorts first, as the last used does.
    private let latestFirst: Bool
    private let isReversed: Bool

    init(_ cursor: ListCursor) {
        let microseconds = cursor.moment?.microseconds
        moment =
            switch cursor.order.field {
            case .created, .lastUsed: microseconds.map { -$0 } ?? .max
            case .expires: microseconds ?? .max
            case .name: 0
            }
        name = Array(cursor.name.utf8)
        id = cursor.id.bytes
        latestFirst = cursor.order.field == .lastUsed
        isReversed = cursor.order.isReversed
    }

    static func < (left: KeyPosition, right: KeyPosition) -> Bool {
        left.isReversed ? right.isBefore(left) : left.isBefore(right)
    }

    private func isBefore(_ other: KeyPosition) -> Bool {
        if moment != other.moment { return moment < other.moment }
        if name != other.name { return name.lexicographicallyPrecedes(other.name) }
        return latestFirst ? other.id.lexicographicallyPrecedes(id) : id.lexicographicallyPrecedes(other.id)
    }
}
