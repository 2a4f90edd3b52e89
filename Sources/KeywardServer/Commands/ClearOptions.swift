import ArgumentParser

/// The members that `keys update` clears. An empty value of another option clears nothing, because an unset shell
/// variable gives one too.
struct ClearOptions: ParsableArguments {
    /// The members of a key that can be cleared, by their names in the API.
    enum Member: String, ExpressibleByArgument, CaseIterable {
        case description, owner, scopes, labels, metadata
        case expiresAt = "expires_at"
        case notBefore = "not_before"
        case allowedMethods = "allowed_methods"
        case allowedPaths = "allowed_paths"
        case allowedCIDRs = "allowed_cidrs"
        case limits, plan, credits
        case reportOnly = "report_only"
    }

    @Option(
        name: .customLong("clear"),
        help: "A member to clear, such as expires_at; repeatable.")
    var members: [Member] = []

    @Option(
        name: .customLong("clear-label"), help: "The name of a label to remove; repeatable.",
        transform: GivenText.nonEmpty)
    var labels: [String] = []

    /// Adds the cleared members to a request's body.
    /// - Throws: an error for a member that is both set and cleared.
    func apply(to members: inout [String: ControlClient.Member]) throws {
        if !labels.isEmpty {
            var changes: [String: String?] = [:]
            if case .texts(let given) = members["labels"] { changes = given }
            for label in labels {
                guard changes[label] == nil else {
                    throw ValidationError("--clear-label \(label) cannot be combined with --label \(label)=...")
                }
                changes.updateValue(nil, forKey: label)
            }
            members["labels"] = .texts(changes)
        }
        for member in self.members {
            guard members.updateValue(.none, forKey: member.rawValue) == nil else {
                throw ValidationError(
                    "--clear \(member.rawValue) can be given once, and only without a value for the same member")
            }
        }
    }
}
