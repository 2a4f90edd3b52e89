/// What a start did, and what to try next.
struct StartReport: Sendable {
    let migrated: Int
    let keys: Int
    let isPrivate: Bool
    /// Where the admin key was written, if Keyward made it.
    let adminKeyPath: String?
    let isEcho: Bool
    /// Whether the gateway speaks TLS.
    let isSecure: Bool

    /// One plain line a listener, for scripts to read; then, for a first look, what to type.
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
            "PostgreSQL is a private one. \(migrated == 1 ? "1 migration was" : "\(migrated) migrations were") applied, \(keys == 1 ? "1 key is" : "\(keys) keys are") loaded.",
        ]
        if let adminKeyPath {
            lines += [
                "The admin key is in \(adminKeyPath)",
                "",
                "Create a key:",
                "  curl -s \(control)/admin/api/v1/auth-keys -H \"Authorization: Bearer $(cat '\(adminKeyPath)')\" -d '{\"name\":\"first\"}'",
                "Call through the gateway with the \"value\" of the answer\(isEcho ? " (the built-in upstream echoes the request)" : ""):",
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
