import ArgumentParser

/// What `keys update` clears: an empty value of another option does not, since an unset variable gives one too.
struct ClearOptions: ParsableArguments {
    /// Members of a key that can be cleared, by their names in the API.
    enum Member: String, ExpressibleByArgument, CaseIterable {
        case description, owner, scopes, labels, metadata
        case expiresAt = "expires_at"
        case notBefore = "not_before"
        case allowedMethods = "allowed_methods"
        case allowedPaths = "allowed_paths"
        case allowedCIDRs = "allowed_cidrs"
        case reportOnly = "report_only"
    }

    @Option(
        name: .customLong("clear"),
        help: "A member that the key is to have no more, such as expires_at; repeatable.")
    var members: [Member] = []

    @Option(
        name: .customLong("clear-label"), help: "The name of a label that the key is to have no more; repeatable.",
        transform: GivenText.nonEmpty)
    var labels: [String] = []

    /// Adds what is cleared to the members of a request's body.
    /// - Throws: for what is given and cleared at once.
    func apply(to members: inout [String: ControlClient.Member]) throws {
        if !labels.isEmpty {
            var changes: [String: String?] = [:]
            if case .texts(let given) = members["labels"] { changes = given }
            for label in labels {
                guard changes[label] == nil else {
                    throw ValidationError("--clear-label \(label) and --label \(label)=... exclude each other")
                }
                changes.updateValue(nil, forKey: label)
            }
            members["labels"] = .texts(changes)
        }
        for member in self.members {
            guard members.updateValue(.none, forKey: member.rawValue) == nil else {
                throw ValidationError("--clear \(member.rawValue) excludes another value of it, and is given once")
            }
        }
    }
}
