import ArgumentParser

/// The flags for the limits and timeouts of the control listener.
struct ControlOptions: ParsableArguments {
    @Option(
        name: .customLong("control-max-connections"),
        help: """
            Connections at a time. A new one beyond the limit closes the connection that is idle longest, \
            except those of admins (KEYWARD_CONTROL_MAX_CONNECTIONS). Default: 2000.
            """)
    var maxConnections: String?

    @Option(
        name: .customLong("control-max-connections-per-address"),
        help: """
            Connections at a time of one client address, or of one IPv6 /64 \
            (KEYWARD_CONTROL_MAX_CONNECTIONS_PER_ADDRESS). Default: 500.
            """)
    var maxConnectionsPerAddress: String?

    @Option(
        name: .customLong("control-request-head-timeout"),
        help: "Timeout for the head of a request (KEYWARD_CONTROL_REQUEST_HEAD_TIMEOUT). Default: 10s.")
    var requestHeadTimeout: String?

    @Option(
        name: .customLong("control-idle-timeout"),
        help: """
            Timeout for the next request on a connection, and for a response that the client does not read \
            (KEYWARD_CONTROL_IDLE_TIMEOUT). Default: 60s.
            """)
    var idleTimeout: String?

    /// The values of the flags that were given, by setting.
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
