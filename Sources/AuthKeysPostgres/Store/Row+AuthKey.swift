import AuthKeys
import LibPQ

extension AuthKey {
    /// Decodes a row of `KeySQL.keyColumns`.
    init(row: PostgresRow) throws(PostgresError) {
        self.init(
            id: KeyID(try row.uuid(0)),
            attributes: KeyAttributes(
                name: try row.text(1), description: try row.text(2), owner: try row.optionalText(3),
                scopes: try row.textArray(4), labels: JSONText.decode([String: String].self, try row.jsonb(13)),
                metadata: JSONText.decode([String: JSONValue].self, try row.jsonb(14)), enabled: try row.bool(5),
                expiresAt: try row.optionalMoment(6), notBefore: try row.optionalMoment(18),
                allowedMethods: try row.textArray(19), allowedPaths: try row.textArray(20),
                allowedCIDRs: try row.textArray(21), reportOnly: try row.textArray(22)),
            prefix: try row.optionalText(11) ?? "",
            lastFour: try row.optionalText(12) ?? "",
            previous: try Self.previous(row),
            secretLastUsedAt: try row.optionalMoment(27),
            usage: KeyUsage(
                lastUsedAt: try row.optionalMoment(23), lastAddress: try row.optionalText(24),
                lastAgent: try row.optionalText(25), requests: try row.optionalInt64(26) ?? 0),
            deactivatedAt: try row.optionalMoment(7),
            createdAt: Timestamp(microseconds: try row.timestampOrInfinity(8)),
            updatedAt: Timestamp(microseconds: try row.timestampOrInfinity(9)),
            version: try row.int64(10))
    }

    private static func previous(_ row: PostgresRow) throws(PostgresError) -> PreviousSecret? {
        guard let expiresAt = try row.optionalMoment(17) else { return nil }
        return PreviousSecret(
            prefix: try row.text(15), lastFour: try row.text(16), expiresAt: expiresAt,
            lastUsedAt: try row.optionalMoment(28))
    }
}

extension KeyEntry {
    /// Decodes `KeySQL.entryColumns`, which begin at `first`. Returns nil if a key has no secret.
    init?(row: PostgresRow, from first: Int) throws(PostgresError) {
        guard let digest = try row.optionalBytes(first) else { return nil }
        let raw = RawEntry(
            digest: SecretDigest(digest), id: KeyID(try row.uuid(first + 1)), version: try row.int64(first + 2),
            state: try row.int16(first + 3), expiresAt: try row.optionalMoment(first + 4),
            name: try row.text(first + 5), owner: try row.optionalText(first + 6), scopes: try row.text(first + 7),
            policy: PolicyColumns(
                expiresAt: try row.optionalMoment(first + 8), notBefore: try row.optionalMoment(first + 9),
                methods: try row.optionalText(first + 10), paths: try row.optionalText(first + 11),
                cidrs: try row.optionalText(first + 12), reportOnly: try row.optionalText(first + 13)
            ).policy,
            metadata: try row.optionalText(first + 14))
        guard let entry = raw.entry else { return nil }
        self = entry
    }
}

/// The columns of a secret's row, before validation.
struct RawEntry {
    /// The bit that is added to the state if the secret has its own expiry.
    private static let secretEnds: Int16 = 8

    let digest: SecretDigest?
    let id: KeyID
    let version: Int64
    let state: Int16
    let expiresAt: Timestamp?
    let name: String
    let owner: String?
    let scopes: String
    /// Nil if the policy is not valid.
    let policy: KeyPolicy?
    let metadata: String?

    private var keyState: KeyEntry.State? {
        UInt8(exactly: state & ~Self.secretEnds).flatMap(KeyEntry.State.init)
    }

    /// True if Keyward could have written the row.
    var makesSense: Bool {
        digest != nil && UInt32(exactly: version) != nil && keyState != nil
            && expiresAt?.isRepresentable ?? true && policy != nil
            && (!name.isEmpty || keyState == .deleted)
    }

    /// The entry for the index; nil if the digest or the version is unreadable. Any other invalid row becomes a
    /// disabled key: a key that was valid before must not stay valid because its row is corrupt.
    var entry: KeyEntry? {
        guard let digest, let version = UInt32(exactly: version) else { return nil }
        let keyState = makesSense ? keyState ?? .disabled : .disabled
        return KeyEntry(
            digest: digest, keyID: id, version: version, state: keyState,
            expiresAt: expiresAt, endsSecret: state & Self.secretEnds != 0, name: name, owner: owner, scopes: scopes,
            policy: policy ?? .none,
            metadata: metadata ?? "")
    }
}

/// The columns of a policy among `KeySQL.entryColumns`.
struct PolicyColumns {
    static let count = 6

    var expiresAt: Timestamp?
    var notBefore: Timestamp?
    /// Lists with one entry per line; nil for an empty one.
    var methods: String?
    var paths: String?
    var cidrs: String?
    var reportOnly: String?

    /// Nil if the columns are not a valid policy.
    var policy: KeyPolicy? {
        if expiresAt == nil, notBefore == nil, methods == nil, paths == nil, cidrs == nil, reportOnly == nil {
            return KeyPolicy.none
        }
        return KeyPolicy(
            expiresAt: expiresAt, notBefore: notBefore, cidrs: lines(cidrs), methods: lines(methods),
            paths: lines(paths), reportOnly: lines(reportOnly))
    }

    private func lines(_ text: String?) -> [String] {
        text?.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) ?? []
    }
}

extension PostgresRow {
    func optionalMoment(_ column: Int) throws(PostgresError) -> Timestamp? {
        try optionalTimestampOrInfinity(column).map { Timestamp(microseconds: $0) }
    }
}

extension KeyID {
    init(_ uuid: PostgresUUID) {
        self.init(high: uuid.high, low: uuid.low)
    }
}

extension PostgresUUID {
    init(_ id: KeyID) {
        self.init(high: id.high, low: id.low)
    }
}
