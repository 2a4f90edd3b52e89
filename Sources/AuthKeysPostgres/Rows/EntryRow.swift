package import AuthKeys
package import LibPQ

/// One secret in the form of the index, before validation: a row of the change feed and of each read of entries.
package struct EntryRow {
    private struct Column {
        let type: String
        /// The value for a secret `s` of a key `k`.
        let ofSecret: String
        /// The value for a row of `auth_key_tombstones`.
        let ofTombstone: String

        init(_ type: String, _ ofSecret: String, ofTombstone: String = "NULL") {
            self.type = type
            self.ofSecret = ofSecret
            self.ofTombstone = ofTombstone
        }
    }

    /// The columns, in the order that `init(row:)` reads them.
    private static let columns = [
        Column("bytea", "s.digest", ofTombstone: "digest"),
        Column("uuid", "k.id", ofTombstone: "key_id"),
        Column("int8", "k.version", ofTombstone: "version"),
        Column("int2", state, ofTombstone: "4"),
        Column("timestamptz", expiry),
        Column("text", "k.name", ofTombstone: "''"),
        Column("text", "k.owner"),
        Column("text", "array_to_string(k.scopes, ' ')", ofTombstone: "''"),
        Column("timestamptz", "CASE WHEN 'expires_at' = ANY (k.report_only) THEN k.expires_at END"),
        Column("timestamptz", "k.not_before"),
        Column("text[]", "NULLIF(k.allowed_methods, '{}')"),
        Column("text[]", "NULLIF(k.allowed_paths, '{}')"),
        Column("text[]", "NULLIF(k.allowed_cidrs, '{}')"),
        Column("text", "NULLIF(k.limits, '[]')::text"),
        Column("text", "k.plan"),
        Column("bool", "NULLIF(k.has_credits, false)"),
        Column("text[]", "NULLIF(k.report_only, '{}')"),
        Column("text", "NULLIF(k.metadata, '{}')::text"),
    ]

    /// The state of the key, as `KeyEntry.State` numbers it. 8 is added if the secret has its own expiry.
    private static let state = """
        (CASE WHEN k.deactivated_at IS NOT NULL THEN 3 WHEN NOT k.enabled THEN 2 ELSE 1 END \
        + CASE WHEN s.expires_at <= CASE WHEN 'expires_at' = ANY (k.report_only) THEN 'infinity' \
        ELSE COALESCE(k.expires_at, 'infinity') END THEN \(secretEnds) ELSE 0 END)::int2
        """

    /// The earlier expiry of key and secret. A secret that expired before the last change of its key has the expiry
    /// 'epoch'. It is thus expired by every clock: that of any reader, and that of this server, which may not be the
    /// one that set the expiry.
    private static let expiry = """
        LEAST(CASE WHEN 'expires_at' <> ALL (k.report_only) THEN k.expires_at END, \
        CASE WHEN s.expires_at <= k.updated_at THEN 'epoch' ELSE s.expires_at END)
        """

    /// The SELECT list of the secrets `s` of keys `k`.
    package static let secretColumns = columns.map(\.ofSecret).joined(separator: ", ")

    /// The SELECT list of `auth_key_tombstones`.
    package static let tombstoneColumns = columns.map { "\($0.ofTombstone)::\($0.type)" }.joined(separator: ", ")

    /// The SELECT list of a row without a secret.
    package static let nullColumns = columns.map { "NULL::\($0.type)" }.joined(separator: ", ")

    /// The bit that is added to the state if the secret has its own expiry.
    private static let secretEnds: Int16 = 8

    private let digest: SecretDigest?
    private let id: KeyID
    private let version: Int64
    private let state: Int16
    private let expiresAt: Timestamp?
    private let name: String
    private let owner: String?
    private let scopes: String
    /// Nil if the policy is not valid.
    private let policy: KeyPolicy?
    private let metadata: String?

    /// Reads a row. Returns nil, at the end of these columns, if it has no secret.
    init?(row: inout RowCursor) throws(PostgresError) {
        guard let digest = try row.nextOptionalBytes() else {
            try row.skip(Self.columns.count - 1)
            return nil
        }
        self.digest = SecretDigest(digest)
        id = try row.nextID()
        version = try row.nextInt64()
        state = try row.nextInt16()
        expiresAt = try row.nextOptionalMoment()
        name = try row.nextText()
        owner = try row.nextOptionalText()
        scopes = try row.nextText()
        policy = try Self.policy(&row)
        metadata = try row.nextOptionalText()
    }

    /// Returns nil if the columns are not a valid policy.
    private static func policy(_ row: inout RowCursor) throws(PostgresError) -> KeyPolicy? {
        let (expiresAt, notBefore) = (try row.nextOptionalMoment(), try row.nextOptionalMoment())
        let lists = (methods: list(&row), paths: list(&row), cidrs: list(&row))
        let (limitText, plan) = (try row.nextOptionalText(), try row.nextOptionalText())
        let hasCredits = try row.nextOptionalBool() ?? false
        let reportOnly = list(&row)
        guard let methods = lists.methods, let paths = lists.paths, let cidrs = lists.cidrs, let reportOnly,
            let limits = limitText.map(LimitText.limits) ?? []
        else { return nil }
        if expiresAt == nil, notBefore == nil, methods.isEmpty, paths.isEmpty, cidrs.isEmpty, limits.isEmpty,
            plan == nil, !hasCredits, reportOnly.isEmpty
        {
            return KeyPolicy.none
        }
        return KeyPolicy(
            expiresAt: expiresAt, notBefore: notBefore, cidrs: cidrs, methods: methods, paths: paths, limits: limits,
            plan: plan, hasCredits: hasCredits, reportOnly: reportOnly)
    }

    /// Returns nil for an array with NULLs or of several dimensions, which Keyward never writes.
    private static func list(_ row: inout RowCursor) -> [String]? { try? row.nextOptionalTextArray() ?? [] }

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

extension KeyEntry {
    /// Reads a row of `EntryRow`. Returns nil if a key has no secret.
    package init?(row: inout RowCursor) throws(PostgresError) {
        guard let entry = try EntryRow(row: &row)?.entry else { return nil }
        self = entry
    }
}
