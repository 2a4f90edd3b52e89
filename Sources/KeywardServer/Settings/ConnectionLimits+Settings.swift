import ControlAPI

extension ConnectionLimits {
    /// Reads the limits and timeouts of the control listener's connections.
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init()
        total = try source.number(Setting.controlMaxConnections)
        perAddress = try source.number(Setting.controlMaxConnectionsPerAddress)
        requestHead = try source.duration(Setting.controlRequestHeadTimeout)
        idle = try source.duration(Setting.controlIdleTimeout)
    }
}
