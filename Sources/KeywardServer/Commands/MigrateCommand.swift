import ArgumentParser
import AuthKeysPostgres
import EmbeddedPostgres
import LibPQ
import Logging

/// `keyward migrate`.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Show or apply the database migrations.",
        subcommands: [Status.self, Up.self, Grants.self])

    /// `keyward migrate status`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the applied and the pending migrations.")

        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await MigrateCommand.connected(options) { connection, logger in
                let (applied, plan) = try await MigrationRunner(logger: logger).status(on: connection)
                for migration in applied {
                    let note = plan.newer.contains(migration) ? "  unknown to this build" : ""
                    try Console.out(
                        "applied  \(migration.version)  \(migration.name)  \(migration.appliedAt)  \(migration.milliseconds) ms\(note)"
                    )
                }
                for migration in plan.pending { try Console.out("pending  \(migration.version)  \(migration.name)") }
            }
        }
    }

    /// `keyward migrate up`.
    struct Up: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Apply pending migrations, as serve does at start.")

        @Flag(help: "Print the pending statements without running them.")
        var dryRun = false

        @OptionGroup var options: SettingsOptions

        func run() async throws {
            try await MigrateCommand.connected(options, writes: !dryRun) { connection, logger in
                let runner = MigrationRunner(logger: logger)
                guard dryRun else {
                    let done = try await runner.up(on: connection)
                    for migration in done { try Console.out("applied  \(migration.version)  \(migration.name)") }
                    if done.isEmpty { try Console.out("nothing to do") }
                    return
                }
                let pending = try await runner.status(on: connection).plan.pending
                for migration in pending {
                    try Console.out("-- would apply \(migration.version) \(migration.name)\n\(migration.sql)")
                }
                if pending.isEmpty { try Console.out("nothing to do") }
            }
        }
    }

    /// `keyward migrate grants`.
    struct Grants: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print or grant the rights that a role needs to run Keyward if it does not own the tables.",
            discussion: """
                Run 'migrate up' as the owner, and grant these rights to the role of KEYWARD_DATABASE_URL. 'serve' can then run as \
                that role. The role supports all actions of admins, but cannot change or remove entries of the audit trail.

                With --verify-only, the rights are for programs that verify keys in their own process. The role can read keys \
                and count their use, but can read neither admin keys nor the audit trail.
                """)

        @Argument(help: "The name of the role.")
        var role: String

        @Flag(help: "Grant the rights, as the owner, instead of printing the statements.")
        var apply = false

        @Flag(help: "Limit the rights to those for verifying keys in another program's process.")
        var verifyOnly = false

        @OptionGroup var options: SettingsOptions

        func run() async throws {
            let purpose: RuntimeGrants.Purpose = verifyOnly ? .verify : .serve
            guard apply else {
                return try await Console.failing {
                    try Console.out(try RuntimeGrants.statements(for: role, to: purpose))
                }
            }
            try await MigrateCommand.connected(options, writes: true) { connection, _ in
                for statement in try RuntimeGrants.statements(for: role, to: purpose) {
                    try await connection.execute(script: statement)
                }
                try Console.out("granted the rights to \(role)")
            }
        }
    }

    /// Runs `body` on a direct connection to PostgreSQL.
    /// - Parameter writes: true to check the preconditions of `serve` first. Reading the migrations needs none of them.
    private static func connected(
        _ options: SettingsOptions, writes: Bool = false, _ body: (PostgresConnection, Logger) async throws -> Void
    ) async throws {
        try await Console.failing {
            let source = try options.source()
            let settings = try Settings(source)
            try LogFormat.bootstrap(source)
            let logger = Logger(label: "keyward")
            SecretFile.log(settings.warnings, to: logger)
            let database = try await Database.open(settings, logger: logger)
            do {
                if writes { try await database.check(waiting: settings.databaseWait, logger: logger) }
                let connection = try await database.connect(waiting: settings.databaseWait, logger: logger)
                try await LockWatch(target: database.direct, logger: logger).watching {
                    try await body(connection, logger)
                }
                await connection.close()
            } catch {
                await database.embedded?.stop()
                throw error
            }
            await database.embedded?.stop()
        }
    }
}
