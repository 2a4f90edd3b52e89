import ArgumentParser
import ControlBodies
import KeyAdministration

/// `keyward admin-keys`.
struct AdminKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin-keys", abstract: "Manage admin keys through the control listener.",
        subcommands: [Create.self, List.self, Show.self, Update.self, Deactivate.self])

    /// The permissions of admin keys, by their names in the API.
    private static let permissions = AdminPermission.allCases.map(\.rawValue).joined(separator: ", ")
    private static let permissionCompletion = CompletionKind.list(AdminPermission.allCases.map(\.rawValue))

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an admin key. The secret is printed only once.")

        @Option(help: "The name of the key, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String

        @Option(
            name: .customLong("permission"),
            help:
                "A permission, one of \(AdminKeysCommand.permissions); repeatable. You can grant only permissions that you have.",
            completion: AdminKeysCommand.permissionCompletion, transform: GivenText.nonEmpty)
        var permissions: [String]

        @Option(
            help: "Limits the admin key to the keys of this owner and all below it. Default: no limit.",
            transform: GivenText.nonEmpty)
        var owner: String?

        @OptionGroup var expiry: ExpiryOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                var members: [String: ControlClient.Member] = ["name": .text(name), "permissions": .list(permissions)]
                members["owner"] = owner.map { .text($0) }
                members["expires_at"] = expiry.moment.map { .text($0) }
                let answer = try await client.connect().createAdminKey(members)
                try client.print(issuedAdminKey: answer)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List admin keys, newest first.")

        @OptionGroup var table: TableOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                let (keys, _): ([AdminKeyJSON], Bool) = try await client.pages(
                    try await connection.adminKeyList(), all: true, of: connection)
                if client.json { return try client.print(encoding: keys) }
                try table.print(AdminKeyTable.table(keys))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one admin key.")

        @Argument(help: "The admin key's id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing { try client.print(adminKey: try await client.connect().adminKey(id)) }
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change an admin key. Only the given values change.")

        @Argument(help: "The admin key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "The name of the key, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String?

        @Option(
            name: .customLong("permission"),
            help:
                "A permission, one of \(AdminKeysCommand.permissions); repeatable. Replaces all permissions of the key.",
            completion: AdminKeysCommand.permissionCompletion, transform: GivenText.nonEmpty)
        var permissions: [String] = []

        @OptionGroup var expiry: ExpiryOptions

        /// The members of an admin key that can be cleared, by their names in the API.
        enum Member: String, ExpressibleByArgument, CaseIterable {
            case expiresAt = "expires_at"
        }

        @Option(name: .customLong("clear"), help: "A member to clear: expires_at.")
        var cleared: [Member] = []

        @Option(help: "Change the key only if it still has this version ('show --json' prints it).")
        var ifVersion: Int64?

        @OptionGroup var client: ClientOptions

        func validate() throws {
            guard cleared.isEmpty || expiry.moment == nil else {
                throw ValidationError("--clear expires_at cannot be combined with --expires-at or --expires-in")
            }
        }

        func run() async throws {
            try await Console.failing {
                var members: [String: ControlClient.Member] = [:]
                members["name"] = name.map { .text($0) }
                if !permissions.isEmpty { members["permissions"] = .list(permissions) }
                members["expires_at"] = expiry.moment.map { .text($0) }
                for member in cleared { members[member.rawValue] = ControlClient.Member.none }
                guard !members.isEmpty else {
                    throw CommandError(.failure, "there is nothing to change: see 'keyward admin-keys update --help'")
                }
                let answer = try await client.connect().updateAdminKey(id, members, version: ifVersion)
                try client.print(adminKey: answer)
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an admin key permanently. It grants no access once this command returns.")

        @Argument(help: "The admin key's id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().deactivateAdminKey(id)
                if !client.json { try Console.out("deactivated \(id)") }
            }
        }
    }
}
