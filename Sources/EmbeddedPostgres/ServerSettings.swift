/// The settings with which the server is launched, as `-c name=value`.
struct ServerSettings: Sendable {
    let arguments: [String]
    /// False if the caller disabled durability, so that `initdb` can skip its syncs too.
    let isDurable: Bool

    /// Moderate memory use, and a log without statements and values: `terse` omits DETAIL lines, which quote keys.
    private static let defaults = [
        "max_connections": "100",
        "shared_buffers": "128MB",
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "cluster_name": "keyward",
    ]

    init(
        _ custom: [String: String], folder: DataFolder, socket: SocketFolder
    ) throws(EmbeddedPostgresError) {
        let decided = [
            "listen_addresses": "",
            "port": String(SocketFolder.port),
            "unix_socket_directories": "\"\(socket.path)\"",
            "unix_socket_permissions": "0700",
            "unix_socket_group": "",
            "hba_file": folder.accessRules,
            "ident_file": folder.identities,
            "data_directory": folder.cluster,
            "config_file": folder.cluster + "/postgresql.conf",
        ]
        let custom = try Self.checked(custom, decided: Set(decided.keys))
        let merged = Self.defaults.merging(custom) { $1 }.merging(decided) { $1 }
        arguments = merged.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
        isDurable = !["off", "false", "no", "0"].contains(merged["fsync"]?.lowercased())
    }

    /// Returns the caller's settings under their canonical names: PostgreSQL accepts any case, and `-` for `_`.
    static func checked(
        _ custom: [String: String], decided: Set<String>
    ) throws(EmbeddedPostgresError) -> [String: String] {
        var plain: [String: String] = [:]
        for (name, value) in custom {
            let plainName = String(name.lowercased().map { $0 == "-" ? "_" : $0 })
            let isName = plainName.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }
            guard isName, !plainName.isEmpty, !value.utf8.contains(0) else {
                throw EmbeddedPostgresError(.invalidSetting, "the name or value of a PostgreSQL setting is not valid")
            }
            guard !decided.contains(plainName) else {
                throw EmbeddedPostgresError(
                    .invalidSetting,
                    "the private PostgreSQL's setting \(plainName) cannot be changed"
                )
            }
            plain[plainName] = value
        }
        return plain
    }
}
