import Glibc
import Logging
import TestSupport

@testable import EmbeddedPostgres

let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A configuration on a folder of its own, with short bounds where a test waits for them.
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

/// Starts a server, hands it to the test, and stops it whatever the test did.
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

/// The error of a start that must not succeed; a server that comes up nevertheless is stopped.
func refusal(_ configuration: EmbeddedPostgresConfiguration) async -> EmbeddedPostgresError? {
    do {
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        await server.stop()
        return nil
    } catch {
        return error
    }
}

/// Asks again until the answer is yes or the deadline has passed.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < deadline {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}

func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

let isRoot = geteuid() == 0

/// The user id of `nobody`, who has no business in anyone's database.
var nobody: UInt32 { 65534 }
