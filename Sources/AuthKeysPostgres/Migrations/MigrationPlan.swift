/// A migration that is recorded as applied in the database.
public struct AppliedMigration: Sendable, Equatable {
    public let version: Int32
    public let name: String
    public let checksum: [UInt8]
    /// The time in RFC 3339, UTC.
    public let appliedAt: String
    public let milliseconds: Int64

    public init(version: Int32, name: String, checksum: [UInt8], appliedAt: String, milliseconds: Int64) {
        self.version = version
        self.name = name
        self.checksum = checksum
        self.appliedAt = appliedAt
        self.milliseconds = milliseconds
    }
}

/// The pending migrations, computed from the embedded and the applied ones. Inconsistencies are refused: see
/// `MigrationError`.
public struct MigrationPlan: Sendable, Equatable {
    /// The migrations to apply, in order.
    public let pending: [Migration]
    /// The applied migrations that this build does not know: a newer build migrated the database, as in a rolling
    /// deployment.
    public let newer: [AppliedMigration]

    public init(available: [Migration], applied: [AppliedMigration]) throws(MigrationError) {
        // The first of the migrations that 0001_keyward replaced.
        if applied.contains(where: { $0.version == 1 && $0.name == "auth_keys" }) { throw .superseded }
        let latestAvailable = available.map(\.version).max() ?? 0
        let latestApplied = applied.map(\.version).max() ?? 0
        for done in applied {
            guard let file = available.first(where: { $0.version == done.version }) else {
                guard done.version > latestAvailable else { throw .missing(done.version, done.name) }
                continue
            }
            guard file.checksum == done.checksum else { throw .edited(done.version, done.name) }
        }
        let pending = available.filter { file in !applied.contains { $0.version == file.version } }
            .sorted { $0.version < $1.version }
        if let late = pending.first(where: { $0.version < latestApplied }) {
            throw .outOfOrder(late.version, late.name)
        }
        self.pending = pending
        newer = applied.filter { $0.version > latestAvailable }
    }
}
