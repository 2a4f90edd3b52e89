import Foundation
import Glibc
import TestSupport

/// A PgBouncer in transaction mode, in front of the server of `TestDatabase`. It has three server connections per
/// database, so that the transactions of a client run on several of them.
struct PgBouncer: Sendable {
    private let folder: String

    /// Returns the connection string of a database through the pooler.
    func address(of database: String) -> String { "host=\(folder) port=6432 dbname=\(database) user=keyward" }

    /// Runs `body` with a pooler.
    static func with(_ body: (PgBouncer) async throws -> Void) async throws {
        guard let program = TestTool.installed("pgbouncer") else {
            throw TestSupportError("pgbouncer is not installed: run scripts/test-tools")
        }
        // The pooler does not run as root, and PostgreSQL does not admit the user it runs as, so the relay connects for
        // it.
        let database = try await TestDatabase.create()
        let relay = try await LossyProxy.start(to: database.connectionString)
        var template = Array("/tmp/keyward-pgbouncer-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestSupportError("no folder can be created in /tmp") }
        let folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        let configuration = """
            [databases]
            * = host=127.0.0.1 port=\(relay.port) user=keyward
            [pgbouncer]
            unix_socket_dir = \(folder)
            listen_port = 6432
            auth_type = any
            pool_mode = transaction
            default_pool_size = 3
            """
        try configuration.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
        let isRoot = geteuid() == 0
        if isRoot, let user = getpwnam("nobody") { chown(folder, user.pointee.pw_uid, user.pointee.pw_gid) }
        let process = ChildProcess(program, (isRoot ? ["-u", "nobody"] : []) + [folder + "/pgbouncer.ini"])
        let pooler = PgBouncer(folder: folder)
        let result: Result<Void, any Error>
        do {
            let isUp = await eventually {
                (try? await Psql.run("SELECT 1", on: pooler.address(of: database.name))) != nil
            }
            guard isUp else { throw TestSupportError("pgbouncer did not start: \(process.log.text)") }
            result = .success(try await body(pooler))
        } catch {
            result = .failure(error)
        }
        try await process.stop()
        await relay.stop()
        try await database.drop()
        try? FileManager.default.removeItem(atPath: folder)
        try result.get()
    }
}
