/// Why the database was not migrated. Nothing half done is left behind: each migration is one transaction.
public enum MigrationError: Error, Sendable {
    /// A migration that was carried out reads differently now.
    case edited(Int32, String)
    /// A migration that was carried out does not ship any more.
    case missing(Int32, String)
    /// The database was made by a build before 0.1.0, whose migrations were replaced by one.
    case superseded
    /// A migration ships that is older than the last one carried out.
    case outOfOrder(Int32, String)
    /// Another instance holds the lock for longer than we wait.
    case locked
    /// A migration failed, and was rolled back. The reason is the server's own.
    case failed(Int32, String, reason: String)
    /// Something is to be done, and this role may not.
    case denied
    /// The database could not be asked.
    case database(reason: String)
}

extension MigrationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .edited(let version, let name):
            "migration \(version) (\(name)) was applied with another text than this build has: migrations are never edited"
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
            "migrations are pending, and this role may not make tables: permission denied; run 'keyward migrate up' as the role that owns the tables"
        case .database(let reason): "migrations could not be read or recorded: \(reason)"
        }
    }
}
