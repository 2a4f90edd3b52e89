import ArgumentParser
import KeyAdministration

/// `keyward admin-keys`.
struct AdminKeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "admin-keys", abstract: "Manage the keys of admins through the control listener.",
        subcommands: [Create.self, List.self, Show.self, Update.self, Deactivate.self])

    /// What an admin key may do, as the API has it.
    private static let permissions = AdminPermission.allCases.map(\.rawValue).joined(separator: ", ")
    private static let permissionCompletion = CompletionKind.list(AdminPermission.allCases.map(\.rawValue))

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an admin key. Its secret is printed, this once.")

        @Option(help: "What the key is called, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String

        @Option(
            name: .customLong("permission"),
            help:
                "What it may do, any of \(AdminKeysCommand.permissions); repeatable. Nobody gives what they do not have.",
            completion: AdminKeysCommand.permissionCompletion, transform: GivenText.nonEmpty)
        var permissions: [String]

        @Option(help: "Whose keys alone it may see and change. Default: all.", transform: GivenText.nonEmpty)
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
                let (keys, _): ([ControlClient.AdminKey], Bool) = try await client.pages(
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
        static let configuration = CommandConfiguration(abstract: "Change an admin key. What is not named stays.")

        @Argument(help: "The admin key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "What the key is called, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String?

        @Option(
            name: .customLong("permission"),
            help: "What it may do, any of \(AdminKeysCommand.permissions); repeatable. All of them, not one more.",
            completion: AdminKeysCommand.permissionCompletion, transform: GivenText.nonEmpty)
        var permissions: [String] = []

        @OptionGroup var expiry: ExpiryOptions

        /// Members of an admin key that can be cleared, by their names in the API.
        enum Member: String, ExpressibleByArgument, CaseIterable {
            case expiresAt = "expires_at"
        }

        @Option(name: .customLong("clear"), help: "A member that the key is to have no more: expires_at.")
        var cleared: [Member] = []

        @Option(help: "Only if the key still has this version (as 'show --json' gives it).")
        var ifVersion: Int64?

        @OptionGroup var client: ClientOptions

        func validate() throws {
            guard cleared.isEmpty || expiry.moment == nil else {
                throw ValidationError("--clear expires_at excludes --expires-at and --expires-in")
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
                    throw StartError("there is nothing to change: see 'keyward admin-keys update --help'")
                }
                let answer = try await client.connect().updateAdminKey(id, members, version: ifVersion)
                try client.print(adminKey: answer)
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an admin key for good. It opens nothing any more when this returns.")

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
