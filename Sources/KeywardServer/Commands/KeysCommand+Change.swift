import ArgumentParser

/// The commands that change an existing key.
extension KeysCommand {
    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a key. Only the given values change.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "The name of the key, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String?

        @OptionGroup var attributes: AttributeOptions

        @OptionGroup var cleared: ClearOptions

        @Flag(inversion: .prefixedEnableDisable, help: "Enable or disable the key.")
        var key: Bool?

        @Option(help: "Change the key only if it still has this version ('show --json' prints it).")
        var ifVersion: Int64?

        @OptionGroup var client: ClientOptions

        func validate() throws {
            _ = try members()
        }

        private func members() throws -> [String: ControlClient.Member] {
            var members = try attributes.members()
            members["name"] = name.map { .text($0) }
            members["enabled"] = key.map { .flag($0) }
            try cleared.apply(to: &members)
            return members
        }

        func run() async throws {
            try await Console.failing {
                let members = try members()
                guard !members.isEmpty else {
                    throw CommandError(.failure, "there is nothing to change: see 'keyward keys update --help'")
                }
                let answer = try await client.connect().update(id, members, version: ifVersion)
                try client.print(key: answer)
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a new secret for a key. The secret is printed only once.",
            discussion:
                "The old secret stays valid for the grace period. --end-grace revokes it now, and creates no new one.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(
            name: [.long, .customLong("grace-seconds")],
            help:
                "The grace period of the old secret, such as 1h or a number of seconds; 0 revokes it at once. Default: 1d.",
            transform: GivenDuration.seconds)
        var grace: Int64?

        @Option(
            help: "An idempotency key: a repeated command with the same one does not rotate again.",
            transform: GivenText.nonEmpty)
        var idempotencyKey: String?

        @Flag(help: "Revoke the old secret of an earlier rotation now.")
        var endGrace = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                if endGrace {
                    try await client.connect().endPreviousSecret(id)
                    if !client.json { try Console.out("only the newest secret of \(id) is valid now") }
                    return
                }
                let answer = try await client.connect().rotate(
                    id, graceSeconds: grace, idempotencyKey: idempotencyKey)
                try client.print(issued: answer, isRotation: true)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a deactivated key.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().delete(id)
                if !client.json { try Console.out("deleted \(id)") }
            }
        }
    }
}
