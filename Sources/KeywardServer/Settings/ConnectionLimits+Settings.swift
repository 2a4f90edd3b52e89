import ControlAPI

extension ConnectionLimits {
    /// Reads the limits and timeouts of the control listener's connections.
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init()
        try source.number(
            .controlMaxConnections, &total, in: DescriptorBudget.fewestControlConnections...65_536)
        try source.number(.controlMaxConnectionsPerAddress, &perAddress, in: 1...65_536)
        try source.timeout(.controlRequestHeadTimeout, &requestHead)
        try source.timeout(.controlIdleTimeout, &idle)
    }
}
