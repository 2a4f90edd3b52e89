import ArgumentParser
import AuthKeys

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

        @OptionGroup var client: ClientOptions

        @Option(help: "What the key is called, 1 to 200 characters.")
        var name: String

        @Option(
            name: .customLong("permission"),
            help:
                "What it may do, any of \(AdminKeysCommand.permissions); repeatable. Nobody gives what they do not have.",
            completion: AdminKeysCommand.permissionCompletion)
        var permissions: [String]

        @Option(help: "Whose keys alone it may see and change. Default: all.")
        var owner: String?

        @Option(help: "When it ends, an RFC 3339 moment. Default: never.")
        var expiresAt: String?

        func run() async throws {
            try await Console.failing {
                var members: [String: ControlClient.Member] = ["name": .text(name), "permissions": .list(permissions)]
                members["owner"] = owner.map { .text($0) }
                members["expires_at"] = expiresAt.map { .text($0) }
                let answer = try await client.make().createAdminKey(members)
                try client.print(adminKey: answer)
                guard !client.json else { return }
                Console.out("")
                Console.out("The secret, shown this once:")
                Console.out(try ControlClient.decode(ControlClient.AdminKey.self, answer).value ?? "")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List admin keys, newest first.")

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try client.make()
                let (keys, _): ([ControlClient.AdminKey], Bool) = try await client.pages(
                    try await connection.adminKeyList(), all: true, of: connection)
                if client.json { return try client.print(encoding: keys) }
                for line in AdminKeyTable.lines(keys) { Console.out(line) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one admin key.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The admin key's id.")
        var id: String

        func run() async throws {
            try await Console.failing { try client.print(adminKey: try await client.make().adminKey(id)) }
        }
    }

    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change an admin key. What is not named stays.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The admin key's id.")
        var id: String

        @Option(help: "What the key is called, 1 to 200 characters.")
        var name: String?

        @Option(
            name: .customLong("permission"),
            help: "What it may do, any of \(AdminKeysCommand.permissions); repeatable. All of them, not one more.",
            completion: AdminKeysCommand.permissionCompletion)
        var permissions: [String] = []

        @Option(help: "When it ends, an RFC 3339 moment; empty for never.")
        var expiresAt: String?

        @Option(help: "Only if the key still has this version (as 'show --json' gives it).")
        var ifVersion: Int64?

        func run() async throws {
            try await Console.failing {
                var members: [String: ControlClient.Member] = [:]
                members["name"] = name.map { .text($0) }
                if !permissions.isEmpty { members["permissions"] = .list(permissions) }
                members["expires_at"] = expiresAt.map { $0.isEmpty ? .none : .text($0) }
                guard !members.isEmpty else {
                    throw StartError("there is nothing to change: see 'keyward admin-keys update --help'")
                }
                let answer = try await client.make().updateAdminKey(id, members, version: ifVersion)
                try client.print(adminKey: answer)
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke an admin key for good. It opens nothing any more when this returns.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The admin key's id.")
        var id: String

        func run() async throws {
            try await Console.failing {
                try await client.make().deactivateAdminKey(id)
                if !client.json { Console.out("deactivated \(id)") }
            }
        }
    }
}
