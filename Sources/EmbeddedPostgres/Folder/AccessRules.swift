/// The access rules of the server: connections over the socket only, as role `keyward` only, and only from the system
/// users named here.
///
/// With `peer`, the server gets the user from the kernel (PostgreSQL, chapter "Client Authentication"). The files are
/// in the data folder and not in the cluster, so that the server itself cannot widen them.
enum AccessRules {
    static let role = "keyward"
    static let database = "keyward"

    static let hostBased = "local all \(role) peer map=\(role)\n"

    static func identities(_ users: [String]) -> String {
        users.map { user in
            // A quote and a combining mark after it are one `Character`.
            let parts = user.unicodeScalars.split(separator: "\"", omittingEmptySubsequences: false).map { String($0) }
            return "\(role) \"\(parts.joined(separator: "\"\""))\" \(role)\n"
        }
        .joined()
    }

    /// Writes both files. They are readable by all users, because they contain no secret.
    static func write(to folder: DataFolder, account: ServerAccount) throws(EmbeddedPostgresError) {
        let users = account.isSwitched ? [account.ownName, account.name] : [account.name]
        do {
            try Files.replace(folder.accessRules, with: hostBased, mode: 0o644)
            try Files.replace(folder.identities, with: identities(users), mode: 0o644)
        } catch {
            throw EmbeddedPostgresError(
                .directoryUnusable,
                "the access rules cannot be written in \(folder.path): \(error)"
            )
        }
    }
}
