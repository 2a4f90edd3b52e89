import ArgumentParser
import FoundationEssentials

/// The flags of the server's settings. Each setting is also an environment variable and a member of the configuration
/// file.
struct SettingsOptions: ParsableArguments {
    @Option(help: Setting.config.flagHelp(), completion: .file())
    var config: String?

    @OptionGroup var server: ServerFlags

    @OptionGroup(title: "Gateway")
    var gateway: GatewayFlags

    @OptionGroup(title: "Control listener")
    var control: ControlFlags

    /// Returns the settings from flags, environment and file.
    func source() throws(SettingsError) -> SettingsSource {
        let environment = ProcessInfo.processInfo.environment
        return try SettingsSource(
            flags: server.values.merging(gateway.values) { $1 }.merging(control.values) { $1 },
            environment: environment,
            file: try configFile(environment))
    }

    private func configFile(_ environment: [String: String]) throws(SettingsError) -> String? {
        guard let config else { return environment[Setting.config.environment] }
        try SettingsSource.refuseEmpty(config, Setting.config.names)
        return config
    }
}
