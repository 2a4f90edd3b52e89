import ControlAPI
import EmbeddedPostgres
import Gateway
import Glibc
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Work that goes on until shutdown begins.
struct RunsUntilShutdown: Service {
    let work: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
    }
}

/// A service that belongs to a group until shutdown. Where it fails, or ends by itself, the group shuts down in order: a group
/// that is cancelled instead cuts what is under way.
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
    /// A group of services of which none may fail or end before shutdown. The first error ends the group in order, and is thrown
    /// when all have ended.
    init(services: [any Service], endingInOrder logger: Logger) {
        self.init(
            services: services.map { service in
                ServiceConfiguration(
                    service: BelongsToGroup(service: service, logger: logger),
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            }, logger: logger)
    }
}

/// Ends the instance when its private PostgreSQL ends by itself: there is nobody else to start it again.
struct EmbeddedWatch: Service {
    let embedded: EmbeddedPostgres

    func run() async throws {
        let exit = await cancelWhenGracefulShutdown { await embedded.waitForExit() }
        if let exit, !Task.isShuttingDownGracefully {
            throw StartError("the private PostgreSQL ended by itself (\(exit)): see postgres.log in its folder")
        }
    }
}

/// The control listener, with its failure to listen said in the settings' terms. At shutdown, what is under way on its connections
/// has a time to end; then they are closed.
struct ControlListener: Service {
    let api: ControlAPI
    let address: ListenAddress
    /// How long shutdown waits.
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
            throw SettingsError(.controlAddress, cannot: "cannot listen on \(address): \(reason)")
        } catch let error as SocketAddressError {
            throw SettingsError(.controlAddress, cannot: "cannot listen on \(address): \(error)")
        }
    }
}

/// On SIGHUP, reads the gateway's certificate again and loads all keys again. Open connections keep the certificate they began with.
struct Reload: Service {
    let gateway: Gateway
    /// The file of the certificate's private key, to which the rule for files with secrets applies each time; nil without TLS.
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
                    logger.error("certificate not reloaded", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
