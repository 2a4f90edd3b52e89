import ControlAPI
import EmbeddedPostgres
import Gateway
import Glibc
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// A service whose work runs until shutdown begins.
struct RunsUntilShutdown: Service {
    let work: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
    }
}

/// A service that must run until its group shuts down. If it fails or ends earlier, the group shuts down gracefully.
/// Cancelling the group instead would cut running work.
private struct BelongsToGroup: Service {
    let service: any Service
    let logger: Logger

    func run() async throws {
        do {
            try await service.run()
        } catch {
            logger.error("a service failed", metadata: ["service": "\(type(of: service))", "error": "\(error)"])
            throw error
        }
        if !Task.isShuttingDownGracefully, !Task.isCancelled {
            throw StartError("the service \(type(of: service)) ended by itself")
        }
    }
}

extension ServiceGroupConfiguration {
    /// Creates a group of services that must all run until shutdown. The first failure shuts the group down gracefully,
    /// and is thrown when all services have ended.
    init(services: [any Service], endingInOrder logger: Logger) {
        self.init(
            services: services.map { service in
                ServiceConfiguration(
                    service: BelongsToGroup(service: service, logger: logger),
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            }, logger: logger)
    }
}

/// A service that ends the instance if its private PostgreSQL exits, because no other program restarts it.
struct EmbeddedWatch: Service {
    let embedded: EmbeddedPostgres

    func run() async throws {
        let exit = await cancelWhenGracefulShutdown { await embedded.waitForExit() }
        if let exit, !Task.isShuttingDownGracefully {
            throw StartError("the private PostgreSQL ended by itself (\(exit)): see postgres.log in its folder")
        }
    }
}

/// A service that runs the control listener. If it cannot listen, the error names the setting. At shutdown, requests in
/// flight get the drain time to finish; then the service closes their connections.
struct ControlListener: Service {
    let api: ControlAPI
    let address: ListenAddress
    /// The time that shutdown waits for requests in flight.
    let drain: Duration
    let logger: Logger
    let onBound: @Sendable (Int) -> Void

    func run() async throws {
        let cut = Task {
            try await gracefulShutdown()
            try await Task.sleep(for: drain)
            api.connections.close()
        }
        defer { cut.cancel() }
        do {
            try await api.application(host: address.host, port: address.port, logger: logger) { onBound($0) }.run()
        } catch let error as IOError {
            let reason =
                error.errnoCode == EADDRINUSE
                ? "the address is in use" : String(cString: strerror(error.errnoCode))
            throw SettingsError(Setting.controlAddress, cannot: "cannot listen on \(address): \(reason)")
        } catch let error as SocketAddressError {
            throw SettingsError(Setting.controlAddress, cannot: "cannot listen on \(address): \(error)")
        }
    }
}

/// A service that reloads the gateway's certificate and all keys on SIGHUP. Open connections keep their certificate.
struct Reload: Service {
    let gateway: Gateway
    /// The file of the certificate's private key, whose permissions each reload checks; nil without TLS.
    let keyFile: String?
    let resync: @Sendable () -> Void
    let logger: Logger

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await cancelWhenGracefulShutdown {
            for await _ in signals {
                resync()
                guard let keyFile else { continue }
                do {
                    SecretFile.log(try SecretFile.inspect(keyFile).map { [$0] } ?? [], to: logger)
                    try gateway.reloadCertificate()
                    logger.notice("certificate reloaded")
                } catch {
                    logger.error("certificate could not be reloaded", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
