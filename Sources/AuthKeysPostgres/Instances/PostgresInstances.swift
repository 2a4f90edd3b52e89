public import AuthKeys
public import LibPQ

/// The instances in PostgreSQL.
public struct PostgresInstances: InstanceStore {
    /// The timeout of a heartbeat, with the wait for a connection: less than the time to the next heartbeat.
    private static let timeout = Duration.seconds(4)
    /// The timeout of the removal at shutdown.
    private static let removalTimeout = Duration.seconds(2)

    private let pool: PostgresPool

    /// - Parameter pool: connections on which neither lookups nor reads of the changes depend.
    public init(pool: PostgresPool) {
        self.pool = pool
    }

    public func record(_ heartbeat: Heartbeat) async throws(StoreError) -> Int {
        let (identity, progress) = (heartbeat.identity, heartbeat.progress)
        return try await attempt {
            let result = try await pool.query(
                InstanceSQL.record,
                [
                    .uuid(PostgresUUID(identity.id)), .text(identity.name), .text(identity.version),
                    .text(identity.kind.rawValue), .double(heartbeat.uptime / .seconds(1)),
                    progress.indexAge.map { .double($0 / .seconds(1)) } ?? .null,
                    progress.applied.map { .xid8($0) } ?? .null, .jsonb(heartbeat.figures),
                ], timeout: Self.timeout)
            return try result.rows.first.map { Int(try $0.int64(0)) } ?? 1
        }
    }

    public func remove(_ id: KeyID) async throws(StoreError) {
        _ = try await attempt {
            try await pool.query(InstanceSQL.remove, [.uuid(PostgresUUID(id))], timeout: Self.removalTimeout)
        }
    }

    public func removeOld() async throws(StoreError) {
        _ = try await attempt { try await pool.query(InstanceSQL.removeOld, [], timeout: Self.timeout) }
    }

    public func instances() async throws(StoreError) -> [InstanceRecord] {
        try await attempt {
            try await pool.query(InstanceSQL.list).rows.compactMap { try $0.read(InstanceRecord.init(row:)) }
        }
    }

    /// Returns the names and versions of the live instances.
    public static func live(on connection: PostgresConnection) async throws -> [(name: String, version: String)] {
        try await connection.query(InstanceSQL.live).rows.map { (try $0.text(0), try $0.text(1)) }
    }

    /// Runs a call, and converts its errors. Unlike `DatabaseCalls`, it does not conclude from a refused heartbeat that
    /// keys cannot be changed: an app may well verify from a read-only database.
    private func attempt<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        do {
            return try await body()
        } catch let error as PostgresError where error.sqlState == .featureNotSupported {
            throw StoreError(.unavailable, detail: "a standby cannot read the instances: \(error)")
        } catch {
            throw StoreError(error)
        }
    }
}

extension InstanceRecord {
    /// Reads a row of `InstanceSQL.list`. Returns nil for a kind that this build does not know, and for times that no
    /// instance writes.
    fileprivate init?(row: inout RowCursor) throws(PostgresError) {
        let (id, name, version) = (try row.nextID(), try row.nextText(), try row.nextText())
        let kind = InstanceIdentity.Kind(rawValue: try row.nextText())
        let (started, seen) = (try row.nextMoment(), try row.nextMoment())
        let (isLive, synced) = (try row.nextBool(), try row.nextOptionalMoment())
        let (applied, lag) = (try row.nextOptionalXid8(), Int(try row.nextInt64()))
        let figures = try row.nextJsonb()
        guard let kind, started.isRepresentable, seen.isRepresentable else { return nil }
        let age = synced.flatMap { $0.isRepresentable ? seen.microseconds - $0.microseconds : nil }
        self.init(
            identity: InstanceIdentity(id: id, name: name, version: version, kind: kind), startedAt: started,
            seenAt: seen, isLive: isLive,
            progress: InstanceProgress(applied: applied, indexAge: age.map { .microseconds($0) }),
            lag: applied == nil || synced == nil ? nil : lag, figures: figures)
    }
}
