import Glibc

/// The system user that runs the server, and the one that runs this process.
struct ServerAccount: Sendable {
    let user: uid_t
    let group: gid_t
    let name: String
    /// The user of this process, which connects to the server.
    let ownName: String
    /// True if this process is root and runs the server as the account, because PostgreSQL refuses to run as root.
    let isSwitched: Bool

    /// The accounts for the server if this process is root and there is no cluster yet.
    private static let unprivileged = ["postgres", "nobody"]

    /// Selects the user for the server: this process's user, or for root the owner of the cluster, or else `postgres`,
    /// or else `nobody`.
    ///
    /// PostgreSQL accepts only a cluster of its own user, and root never changes the owner of existing files.
    init(cluster: String) throws(EmbeddedPostgresError) {
        let own = geteuid()
        let owner = Files.status(cluster)?.st_uid
        guard let ownEntry = Self.entry(of: own) else {
            throw EmbeddedPostgresError(
                .noAccount,
                "user id \(own) has no name on this machine, and PostgreSQL needs one; set --database-url instead"
            )
        }
        guard own == 0 else {
            if let owner, owner != own { throw Self.foreign(cluster, owner: owner) }
            self.init(ownEntry, own: ownEntry)
            return
        }
        if let owner {
            guard owner != 0, let entry = Self.entry(of: owner) else { throw Self.foreign(cluster, owner: owner) }
            self.init(entry, own: ownEntry)
            return
        }
        for name in Self.unprivileged {
            if let entry = Self.entry(named: name), entry.user != 0 {
                self.init(entry, own: ownEntry)
                return
            }
        }
        throw EmbeddedPostgresError(
            .noAccount,
            "PostgreSQL does not run as root, and the users `postgres` and `nobody` do not exist; set --database-url instead"
        )
    }

    private init(_ server: Entry, own: Entry) {
        user = server.user
        group = server.group
        name = server.name
        ownName = own.name
        isSwitched = server.user != own.user
    }

    private static func foreign(_ cluster: String, owner: uid_t) -> EmbeddedPostgresError {
        let name = entry(of: owner)?.name ?? "user id \(owner)"
        return EmbeddedPostgresError(
            .foreignCluster,
            "the cluster in \(cluster) belongs to \(name), as whom PostgreSQL cannot run here; "
                + "change its owner, or choose another folder with --data-dir"
        )
    }

    private struct Entry {
        let user: uid_t
        let group: gid_t
        let name: String
    }

    private static func entry(of user: uid_t) -> Entry? { entry { getpwuid_r(user, $0, $1, $2, $3) } }

    private static func entry(named name: String) -> Entry? { entry { getpwnam_r(name, $0, $1, $2, $3) } }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func entry(_ lookUp: Lookup) -> Entry? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 64 * 1024)
        return buffer.withUnsafeMutableBufferPointer { buffer -> Entry? in
            guard let space = buffer.baseAddress, lookUp(&entry, space, buffer.count, &found) == 0, found != nil,
                let name = entry.pw_name
            else { return nil }
            return Entry(user: entry.pw_uid, group: entry.pw_gid, name: String(cString: name))
        }
    }
}
