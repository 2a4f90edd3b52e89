import ArgumentParser
import Gateway
import Glibc
import NIOCore
import NIOPosix

/// `keyward doctor`, which prints one line per check.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Check settings, database, migrations, upstreams, ports and clock, before or beside a running Keyward.")

    @OptionGroup var options: SettingsOptions

    func run() async throws {
        var report = DoctorReport()
        let settings: Settings
        do {
            settings = try Settings(try options.source())
            report.pass("settings", "all valid")
        } catch {
            report.fail("settings", "\(error)")
            return try await Console.failing { try report.finish() }
        }
        for warning in settings.warnings { report.warn("secrets", warning) }
        await DatabaseExamination(settings).run(&report)
        checkFiles(settings, &report)
        await checkUpstreams(settings, &report)
        let isRunning = await Self.isKeyward(settings.control)
        await checkPort(
            ListenAddress(host: settings.gateway.host, port: settings.gateway.port), "gateway port", isRunning, &report)
        await checkPort(settings.control, "control port", isRunning, &report)
        try await Console.failing { try report.finish() }
    }

    private func checkFiles(_ settings: Settings, _ report: inout DoctorReport) {
        let budget = DescriptorBudget(
            limit: DescriptorBudget.raisedLimit(), settings.gateway, isEcho: settings.gateway.routes.isEmpty)
        if budget.limit < budget.minimum {
            report.fail(
                "files",
                "this process may open \(budget.limit) files: at least \(budget.minimum) are needed (ulimit -n)")
        }
        do throws(GatewayError) {
            try settings.gateway.checkFiles()
            if settings.gateway.certificate != nil { report.pass("certificate", "the gateway can use it") }
        } catch {
            report.fail("certificate", "\(error)")
        }
    }

    /// Opens a connection to each upstream, as the gateway does for a request.
    private func checkUpstreams(_ settings: Settings, _ report: inout DoctorReport) async {
        if settings.gateway.routes.isEmpty { report.pass("upstream", "not set: the built-in echo is used") }
        for route in settings.gateway.routes {
            for upstream in route.upstreams {
                let address = ListenAddress(host: upstream.host, port: upstream.port)
                let url = "\(upstream.isSecure ? "https" : "http")://\(address)"
                do throws(UpstreamProbeError) {
                    try await upstream.probe(
                        trust: settings.gateway.upstreamTrust, timeout: settings.gateway.timeouts.connect)
                    report.pass("upstream", "\(url) accepts connections")
                } catch {
                    report.fail("upstream", "\(url) does not accept connections: \(error)")
                }
            }
        }
    }

    /// Returns true if a control listener of Keyward responds at the address.
    private static func isKeyward(_ address: ListenAddress) async -> Bool {
        (try? await ListenerConnection(base: "http://\(address)").identify(within: .seconds(2))) != nil
    }

    private func checkPort(
        _ address: ListenAddress, _ check: String, _ isRunning: Bool, _ report: inout DoctorReport
    ) async {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: address.host, port: address.port).get()
            try await channel.close().get()
            report.pass(check, "\(address) is free")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            if isRunning {
                report.pass(check, "\(address) is in use by a running Keyward")
            } else {
                report.fail(check, "\(address) is in use")
            }
        } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            report.fail(check, "\(address) cannot be listened on: \(reason)")
        }
    }
}
