import ArgumentParser

/// The flags of the control listener's limits.
struct ControlOptions: ParsableArguments {
    @Option(
        name: .customLong("control-max-connections"),
        help: """
            Connections at a time; a new one then takes the place of the one that is idle longest, \
            but for those of admins (KEYWARD_CONTROL_MAX_CONNECTIONS). Default: 2000.
            """)
    var maxConnections: String?

    @Option(
        name: .customLong("control-max-connections-per-address"),
        help: """
            Those of one client address, or of one /64 of IPv6 \
            (KEYWARD_CONTROL_MAX_CONNECTIONS_PER_ADDRESS). Default: 500.
            """)
    var maxConnectionsPerAddress: String?

    @Option(
        name: .customLong("control-request-head-timeout"),
        help: "For the whole head of a request (KEYWARD_CONTROL_REQUEST_HEAD_TIMEOUT). Default: 10s.")
    var requestHeadTimeout: String?

    @Option(
        name: .customLong("control-idle-timeout"),
        help: """
            For the next request on a connection, and for a response that is not read \
            (KEYWARD_CONTROL_IDLE_TIMEOUT). Default: 60s.
            """)
    var idleTimeout: String?

    /// The values that were given, by setting.
    var values: [Setting: String] {
        let options: [Setting: String?] = [
            .controlMaxConnections: maxConnections,
            .controlMaxConnectionsPerAddress: maxConnectionsPerAddress,
            .controlRequestHeadTimeout: requestHeadTimeout,
            .controlIdleTimeout: idleTimeout,
        ]
        return options.compactMapValues(\.self)
    }
}
