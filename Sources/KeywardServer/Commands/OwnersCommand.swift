import ArgumentParser

/// `keyward owners`.
struct OwnersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "owners", abstract: "Manage the limits that all keys of an owner share.",
        subcommands: [Limits.self, SetLimits.self, DeleteLimits.self])

    struct Limits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "limits", abstract: "Show the limits of an owner.")

        @Argument(help: "The owner, such as acme/payments.", transform: GivenText.nonEmpty)
        var owner: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().sharedLimits(ControlClient.limits(ofOwner: owner))
                try client.print(limits: answer)
            }
        }
    }

    struct SetLimits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set-limits", abstract: "Set the limits of an owner. They replace all earlier ones.")

        @Argument(help: "The owner, such as acme/payments.", transform: GivenText.nonEmpty)
        var owner: String

        @OptionGroup var limits: SharedLimitsOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().setSharedLimits(
                    ControlClient.limits(ofOwner: owner), try limits.members(), version: limits.ifVersion)
                try client.print(limits: answer)
            }
        }
    }

    struct DeleteLimits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete-limits", abstract: "Remove the limits of an owner.")

        @Argument(help: "The owner, such as acme/payments.", transform: GivenText.nonEmpty)
        var owner: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().deleteSharedLimits(ControlClient.limits(ofOwner: owner))
                if !client.json { try Console.out("removed the limits of \(owner)") }
            }
        }
    }
}
