import ArgumentParser
import AuthKeys
import FoundationEssentials

/// What `keys create` and `keys update` say of a key.
struct AttributeOptions: ParsableArguments {
    @Option(help: "Free text, at most 2,000 characters; empty clears it.")
    var description: String?

    @Option(help: "Whom the key belongs to; empty clears it.")
    var owner: String?

    @Option(name: .customLong("scope"), help: "What the key may do; repeatable. All of its scopes, not one more.")
    var scopes: [String] = []

    @Option(name: .customLong("label"), help: "A label, NAME=VALUE; repeatable. NAME= takes it off.")
    var labels: [String] = []

    @Option(help: "A JSON object of yours, merged with what there is (RFC 7396).")
    var metadata: String?

    @Option(help: "When the key ends, an RFC 3339 moment such as 2030-01-31T12:00:00Z; empty for never.")
    var expiresAt: String?

    @Option(help: "Before when the key opens nothing, an RFC 3339 moment; empty for no such moment.")
    var notBefore: String?

    @Option(
        name: .customLong("allow-method"), help: "A method that the key is good for; repeatable. Empty for any.",
        completion: .methods)
    var allowedMethods: [String] = []

    @Option(
        name: .customLong("allow-path"),
        help:
            "Paths that the key is good for: * stands for a segment, a last ** for all below; repeatable. Empty for any."
    )
    var allowedPaths: [String] = []

    @Option(
        name: .customLong("allow-cidr"), help: "A network that the key may be used from; repeatable. Empty for any.")
    var allowedCIDRs: [String] = []

    @Option(
        name: .customLong("report-only"),
        help: "A rule that only reports what it would have refused, such as allowed_paths; repeatable. Empty for none.",
        completion: .list(PolicyRule.allCases.map(\.rawValue)))
    var reportOnly: [String] = []

    /// The members of the request's body.
    func members() throws -> [String: ControlClient.Member] {
        var members: [String: ControlClient.Member] = [:]
        members["description"] = description.map { .text($0) }
        members["owner"] = owner.map { $0.isEmpty ? .none : .text($0) }
        members["not_before"] = notBefore.map { $0.isEmpty ? .none : .text($0) }
        let lists = [
            ("scopes", scopes), ("allowed_methods", allowedMethods), ("allowed_paths", allowedPaths),
            ("allowed_cidrs", allowedCIDRs), ("report_only", reportOnly),
        ]
        for (name, list) in lists where !list.isEmpty {
            members[name] = list == [""] ? ControlClient.Member.none : .list(list)
        }
        members["expires_at"] = expiresAt.map { $0.isEmpty ? .none : .text($0) }
        if !labels.isEmpty { members["labels"] = .texts(try Self.labels(labels)) }
        if let metadata {
            guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(metadata.utf8)) else {
                throw ValidationError("--metadata takes a JSON object")
            }
            members["metadata"] = .json(value)
        }
        return members
    }

    private static func labels(_ texts: [String]) throws -> [String: String?] {
        var labels: [String: String?] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw ValidationError("--label takes NAME=VALUE: '\(text)' is none") }
            labels.updateValue(parts[1].isEmpty ? nil : String(parts[1]), forKey: String(parts[0]))
        }
        return labels
    }
}
