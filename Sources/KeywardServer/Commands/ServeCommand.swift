import ArgumentParser
import AuthKeys
import ControlAPI
import Gateway
import Glibc
import Logging
import Metrics
import ServiceLifecycle
import UnixSignals

/// `keyward serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Migrate the database, load the keys, and start the listeners.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        try await Console.failing {
            let source = try options.source()
            let settings = try Settings(source)
            try LogFormat.bootstrap(source)
            let metrics = PrometheusRegistry()
            MetricsSystem.bootstrap(metrics)
            LogWriter.standardError.count(Counter(label: "keyward_log_lines_dropped_total"))
            let logger = Logger(label: "keyward")
            SecretFile.log(settings.warnings, to: logger)
            let announcement = StartAnnouncement()
            let manager = ServiceManager(
                socketName: getenv("NOTIFY_SOCKET").map { String(cString: $0) }, logger: logger)
            let instance = Instance(settings: settings, metrics: metrics, logger: logger) { listening, report in
                announcement.announce(report.lines(listening))
                manager?.report(.ready)
                logger.info(
                    "started",
                    metadata: [
                        "gateway": "\(listening.gateway)", "control": "\(listening.control)",
                        "migrations": .stringConvertible(report.migrated), "keys": .stringConvertible(report.keys),
                        "instance": "\(report.identity.name)", "version": "\(KeywardVersion.current)",
                    ])
            }
            var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
                .init(service: instance, successTerminationBehavior: .gracefullyShutdownGroup),
                .init(
                    service: announcement, successTerminationBehavior: .ignore,
                    failureTerminationBehavior: .gracefullyShutdownGroup),
            ]
            // Services stop from the last to the first: this one reports before the instance closes anything.
            if let manager {
                services.append(.init(service: StopReport(manager: manager), successTerminationBehavior: .ignore))
            }
            let group = ServiceGroup(
                configuration: .init(
                    services: services, gracefulShutdownSignals: Self.endingSignals(settings), logger: logger))
            try await group.run()
            logger.info("stopped")
        }
    }

    private static func endingSignals(_ settings: Settings) -> [UnixSignal] {
        [.sigterm, .sigint] + (settings.endsWithTerminal ? [.sighup] : [])
    }
}
