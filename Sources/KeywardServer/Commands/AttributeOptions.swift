import ArgumentParser
import AuthKeys
import FoundationEssentials

/// What `keys create` and `keys update` say of a key.
struct AttributeOptions: ParsableArguments {
    @Option(help: "Free text, at most 2,000 characters.", transform: GivenText.nonEmpty)
    var description: String?

    @Option(help: "Whom the key belongs to.", transform: GivenText.nonEmpty)
    var owner: String?

    @Option(
        name: .customLong("scope"), help: "What the key may do; repeatable. All of its scopes, not one more.",
        transform: GivenText.nonEmpty)
    var scopes: [String] = []

    @Option(
        name: .customLong("label"), help: "A label, NAME=VALUE; repeatable.", transform: GivenText.nonEmpty)
    var labels: [String] = []

    @Option(help: "A JSON object of yours, merged with what there is (RFC 7396).", transform: GivenText.nonEmpty)
    var metadata: String?

    @OptionGroup var expiry: ExpiryOptions

    @Option(help: "Before when the key opens nothing, an RFC 3339 moment.", transform: GivenText.nonEmpty)
    var notBefore: String?

    @Option(
        name: .customLong("allow-method"), help: "A method that the key is good for; repeatable.",
        completion: .methods, transform: GivenText.nonEmpty)
    var allowedMethods: [String] = []

    @Option(
        name: .customLong("allow-path"),
        help:
            "Paths that the key is good for: * stands for a segment, a last ** for all below; repeatable.",
        transform: GivenText.nonEmpty)
    var allowedPaths: [String] = []

    @Option(
        name: .customLong("allow-cidr"), help: "A network that the key may be used from; repeatable.",
        transform: GivenText.nonEmpty)
    var allowedCIDRs: [String] = []

    @Option(
        name: .customLong("report-only"),
        help: "A rule that only reports what it would have refused, such as allowed_paths; repeatable.",
        completion: .list(PolicyRule.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
    var reportOnly: [String] = []

    func validate() throws {
        _ = try members()
    }

    /// The members of the request's body.
    func members() throws -> [String: ControlClient.Member] {
        var members: [String: ControlClient.Member] = [:]
        for (name, text) in [
            ("description", description), ("owner", owner), ("not_before", notBefore), ("expires_at", expiry.moment),
        ] {
            members[name] = text.map { .text($0) }
        }
        for (name, list) in [
            ("scopes", scopes), ("allowed_methods", allowedMethods), ("allowed_paths", allowedPaths),
            ("allowed_cidrs", allowedCIDRs), ("report_only", reportOnly),
        ] where !list.isEmpty {
            members[name] = .list(list)
        }
        if !labels.isEmpty { members["labels"] = .texts(try Self.labels(labels)) }
        if let metadata { members["metadata"] = .json(try Self.object(metadata)) }
        return members
    }

    private static func labels(_ texts: [String]) throws -> [String: String?] {
        var labels: [String: String?] = [:]
        for text in texts {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("--label takes NAME=VALUE, neither of them empty; not '\(text)'")
            }
            guard labels.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw ValidationError("--label is given twice for '\(parts[0])'")
            }
        }
        return labels
    }

    private static func object(_ text: String) throws -> JSONValue {
        do throws(JSONDefect) {
            try JSONScanner.check(text)
        } catch {
            throw ValidationError("--metadata takes a JSON object: \(error.message)")
        }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)), case .object = value else {
            throw ValidationError("--metadata takes a JSON object")
        }
        return value
    }
}
