import AuthKeys

/// The results of a start, and the commands to try next.
struct StartReport: Sendable {
    let identity: InstanceIdentity
    let migrated: Int
    let keys: Int
    let isPrivate: Bool
    /// The path of the admin key in the data folder; nil if the operator set a key.
    let adminKeyPath: String?
    let isEcho: Bool
    /// True if the gateway uses TLS.
    let isSecure: Bool

    /// Returns one line per listener, for scripts, and then example commands if the PostgreSQL is private.
    func lines(_ listening: Instance.Listening) -> [String] {
        let scheme = isSecure ? "https" : "http"
        let gateway = "\(scheme)://\(Self.reachable(listening.gateway))"
        let control = "http://\(Self.reachable(listening.control))"
        var lines = [
            "gateway listening on \(scheme)://\(listening.gateway)",
            "control listening on http://\(listening.control)",
        ]
        guard isPrivate else { return lines }
        lines += [
            "",
            "The PostgreSQL is private. \(migrated == 1 ? "1 migration was" : "\(migrated) migrations were") applied, \(keys == 1 ? "1 key is" : "\(keys) keys are") loaded.",
        ]
        if let adminKeyPath {
            lines += [
                "The admin key is in \(adminKeyPath)",
                "",
                "Create a key:",
                "  curl -s \(control)/admin/api/v1/auth-keys -H \"Authorization: Bearer $(cat '\(adminKeyPath)')\" -d '{\"name\":\"first\"}'",
                "Send a request through the gateway with the \"value\" of the response\(isEcho ? " (the built-in upstream echoes the request)" : ""):",
                "  curl -i \(gateway)/hello -H \"Authorization: Bearer <value>\"",
            ]
        }
        return lines
    }

    private static func reachable(_ address: ListenAddress) -> ListenAddress {
        switch address.host {
        case "0.0.0.0": ListenAddress(host: "127.0.0.1", port: address.port)
        case "::": ListenAddress(host: "::1", port: address.port)
        default: address
        }
    }
}
