import Glibc
import Logging
import TestSupport

@testable import EmbeddedPostgres

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// Returns a configuration of a folder, with short limits if a test waits for them.
func configuration(
    _ directory: String, settings: [String: String] = [:], limit: Duration? = nil
) -> EmbeddedPostgresConfiguration {
    var configuration = EmbeddedPostgresConfiguration(
        directory: directory, settings: TestServer.settings.merging(settings) { $1 })
    if let limit {
        configuration.limits.takeover = limit
        configuration.limits.fastShutdown = limit
        configuration.limits.immediateShutdown = limit
    }
    return configuration
}

/// Starts a server, passes it to the test, and always stops it afterwards.
func withServer(
    _ configuration: EmbeddedPostgresConfiguration, _ body: (EmbeddedPostgres) async throws -> Void
) async throws {
    let server = try await EmbeddedPostgres.start(configuration, logger: silent)
    do {
        try await body(server)
        await server.stop()
    } catch {
        await server.stop()
        throw error
    }
}

/// Returns the error of a start that must fail. A server that starts nevertheless is stopped.
func refusal(_ configuration: EmbeddedPostgresConfiguration) async -> EmbeddedPostgresError? {
    do {
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        await server.stop()
        return nil
    } catch {
        return error
    }
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

let isRoot = geteuid() == 0

/// The user id of `nobody`, which has no access to the server.
var nobodyID: UInt32 { 65534 }
