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

    @OptionGroup(title: "Request log")
    var requestLog: RequestLogFlags

    /// The values of the flags that were given, by setting.
    var values: [Setting: String] {
        [server.values, gateway.values, control.values, requestLog.values].reduce(into: [:]) { all, values in
            all.merge(values) { $1 }
        }
    }

    /// Returns the settings from flags, environment and file.
    func source() throws(SettingsError) -> SettingsSource {
        let environment = ProcessInfo.processInfo.environment
        return try SettingsSource(
            flags: values, environment: environment, file: try configFile(environment))
    }

    private func configFile(_ environment: [String: String]) throws(SettingsError) -> String? {
        guard let config else { return environment[Setting.config.environment] }
        try SettingsSource.refuseEmpty(config, Setting.config.names)
        return config
    }
}
