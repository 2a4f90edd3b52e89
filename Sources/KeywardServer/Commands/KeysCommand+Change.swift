import ArgumentParser

/// The commands that change a key that there is.
extension KeysCommand {
    struct Update: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a key. What is not named stays.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "What the key is called, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String?

        @OptionGroup var attributes: AttributeOptions

        @OptionGroup var cleared: ClearOptions

        @Flag(inversion: .prefixedEnableDisable, help: "Pause the key, or take the pause back.")
        var key: Bool?

        @Option(help: "Only if the key still has this version (as 'show --json' gives it).")
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
                    throw StartError("there is nothing to change: see 'keyward keys update --help'")
                }
                let answer = try await client.connect().update(id, members, version: ifVersion)
                try client.print(key: answer)
            }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a key a new secret, which is printed, this once.",
            discussion: "The old secret stays valid for the grace. --end-grace ends it now, and makes no new one.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(
            name: [.long, .customLong("grace-seconds")],
            help:
                "How long the old secret stays valid, such as 1h or a number of seconds; 0 ends it at once. Default: 1d.",
            transform: GivenDuration.seconds)
        var grace: Int64?

        @Option(
            help: "Makes a repetition of this command safe: no second rotation under the same text.",
            transform: GivenText.nonEmpty)
        var idempotencyKey: String?

        @Flag(help: "End the old secret of an earlier rotation now.")
        var endGrace = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                if endGrace {
                    try await client.connect().endPreviousSecret(id)
                    if !client.json { try Console.out("only the newest secret of \(id) is good now") }
                    return
                }
                let answer = try await client.connect().rotate(
                    id, graceSeconds: grace, idempotencyKey: idempotencyKey)
                try client.print(issued: answer, isRotation: true)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a key that was deactivated.")

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
