import ArgumentParser
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
        commandName: "serve", abstract: "Migrate the database, load the keys, and listen.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        try await Console.failing {
            let source = try options.source()
            let settings = try Settings(source)
            try LogFormat.bootstrap(source)
            let metrics = PrometheusRegistry()
            MetricsSystem.bootstrap(metrics)
            let logger = Logger(label: "keyward")
            let announcement = StartAnnouncement()
            let instance = Instance(settings: settings, metrics: metrics, logger: logger) { listening, report in
                announcement.announce(report.lines(listening))
                logger.info(
                    "started",
                    metadata: [
                        "gateway": "\(listening.gateway)", "control": "\(listening.control)",
                        "migrations": "\(report.migrated)", "keys": "\(report.keys)",
                        "version": "\(KeywardVersion.current)",
                    ])
            }
            let group = ServiceGroup(
                configuration: .init(
                    services: [
                        .init(service: instance, successTerminationBehavior: .gracefullyShutdownGroup),
                        .init(
                            service: announcement, successTerminationBehavior: .ignore,
                            failureTerminationBehavior: .gracefullyShutdownGroup),
                    ],
                    gracefulShutdownSignals: Self.endingSignals(settings), logger: logger))
            try await group.run()
            logger.info("stopped")
        }
    }

    /// A terminal that closes ends Keyward too, its private PostgreSQL with it; unless the caller wants it to stay (`nohup`),
    /// or the signal means to read the certificate again.
    private static func endingSignals(_ settings: Settings) -> [UnixSignal] {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        let isIgnored = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
        let reloads = settings.gateway.certificate != nil
        return [.sigterm, .sigint] + (isIgnored || reloads ? [] : [.sighup])
    }
}
