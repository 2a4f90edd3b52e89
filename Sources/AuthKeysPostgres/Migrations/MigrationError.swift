/// The reason why the database was not migrated. Each migration is one transaction, so no partial change remains.
public enum MigrationError: Error, Sendable {
    /// The text of an applied migration has changed.
    case edited(Int32, String)
    /// An applied migration is missing in this build.
    case missing(Int32, String)
    /// The database was made by a build before 0.1.0, whose migrations were replaced by one.
    case superseded
    /// A pending migration is older than the last applied one.
    case outOfOrder(Int32, String)
    /// Another instance holds the lock for longer than the waiting time.
    case locked
    /// A migration failed and was rolled back. The reason is the server's message.
    case failed(Int32, String, reason: String)
    /// Migrations are pending, and this role lacks the privileges to apply them.
    case denied
    /// The database could not be queried.
    case database(reason: String)
}

extension MigrationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .edited(let version, let name):
            "migration \(version) (\(name)) was applied with a different text than in this build: migrations are never edited"
        case .missing(let version, let name):
            "migration \(version) (\(name)) was applied, but this build does not have it"
        case .superseded:
            "the database was made by a build before 0.1.0: dump its data, and restore them into a database that this build has migrated, as docs/upgrading.md describes"
        case .outOfOrder(let version, let name):
            "migration \(version) (\(name)) is older than the last one applied: migrations are only appended"
        case .locked: "another instance is migrating and did not finish in time"
        case .failed(let version, let name, let reason):
            "migration \(version) (\(name)) failed and was rolled back: \(reason)"
        case .denied:
            "migrations are pending, and this role may not create tables: permission denied; run 'keyward migrate up' as the role that owns the tables"
        case .database(let reason): "migrations could not be read or recorded: \(reason)"
        }
    }
}
