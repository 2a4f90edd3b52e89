import ArgumentParser
import AuthKeys
import ControlBodies

/// The limits of a plan or an owner, as options.
struct SharedLimitsOptions: ParsableArguments {
    @Option(
        name: .customLong("limit"),
        help: "A limit, such as minute=600/1m,burst=100; repeatable. See 'keyward keys create --help'.",
        transform: GivenText.nonEmpty)
    var limits: [String]

    @Option(help: "Free text, at most 2,000 characters.", transform: GivenText.nonEmpty)
    var description: String?

    @Option(help: "Change the limits only if they still have this version ('--json' prints it).")
    var ifVersion: Int64?

    func validate() throws {
        _ = try members()
    }

    func members() throws -> [String: ControlClient.Member] {
        var members: [String: ControlClient.Member] = ["limits": .json(.array(try limits.map(LimitOption.limit)))]
        members["description"] = description.map { .text($0) }
        return members
    }
}

/// `keyward plans`.
struct PlansCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plans", abstract: "Manage plans, named sets of limits, through the control listener.",
        subcommands: [List.self, Show.self, Set.self, Delete.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List plans by name.")

        @OptionGroup var table: TableOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().plans()
                if client.json { return try client.print(answer) }
                try table.print(LimitTable.table(try ControlClient.decode([SharedLimitsJSON].self, answer)))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one plan.")

        @Argument(help: "The name of the plan.", transform: GivenText.nonEmpty)
        var name: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try client.print(limits: try await client.connect().sharedLimits(ControlClient.plan(name)))
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a plan, or replace its limits.",
            discussion: "All keys of the plan have the new limits from their next request on.")

        @Argument(help: "The name of the plan, 1 to 32 characters of a-z, 0-9 and -.", transform: GivenText.nonEmpty)
        var name: String

        @OptionGroup var limits: SharedLimitsOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().setSharedLimits(
                    ControlClient.plan(name), try limits.members(), version: limits.ifVersion)
                try client.print(limits: answer)
            }
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a plan that no active key names.")

        @Argument(help: "The name of the plan.", transform: GivenText.nonEmpty)
        var name: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().deleteSharedLimits(ControlClient.plan(name))
                if !client.json { try Console.out("deleted \(name)") }
            }
        }
    }
}

extension ClientOptions {
    /// Prints the limits of a plan or an owner.
    func print(limits answer: ControlClient.Answer) throws {
        if json { return try print(answer) }
        try Console.out(LimitTable.details(try ControlClient.decode(SharedLimitsJSON.self, answer)))
    }
}
