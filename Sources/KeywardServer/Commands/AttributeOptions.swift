import ArgumentParser
import AuthKeys
import FoundationEssentials

/// The attributes of a key that `keys create` and `keys update` set.
struct AttributeOptions: ParsableArguments {
    @Option(help: "Free text, at most 2,000 characters.", transform: GivenText.nonEmpty)
    var description: String?

    @Option(help: "The owner of the key, such as acme/payments.", transform: GivenText.nonEmpty)
    var owner: String?

    @Option(
        name: .customLong("scope"), help: "A scope of the key; repeatable. An update replaces all scopes.",
        transform: GivenText.nonEmpty)
    var scopes: [String] = []

    @Option(
        name: .customLong("label"), help: "A label, NAME=VALUE; repeatable.", transform: GivenText.nonEmpty)
    var labels: [String] = []

    @Option(
        help: "A JSON object. An update merges it into the metadata of the key (RFC 7396).",
        transform: GivenText.nonEmpty)
    var metadata: String?

    @OptionGroup var expiry: ExpiryOptions

    @Option(help: "The time before which the key grants no access, in RFC 3339.", transform: GivenText.nonEmpty)
    var notBefore: String?

    @Option(
        name: .customLong("allow-method"), help: "A method that the key may be used for; repeatable.",
        completion: .methods, transform: GivenText.nonEmpty)
    var allowedMethods: [String] = []

    @Option(
        name: .customLong("allow-path"),
        help:
            "A path that the key may be used for: * matches one segment, ** at the end all paths below; repeatable.",
        transform: GivenText.nonEmpty)
    var allowedPaths: [String] = []

    @Option(
        name: .customLong("allow-cidr"), help: "A network that the key may be used from; repeatable.",
        transform: GivenText.nonEmpty)
    var allowedCIDRs: [String] = []

    @Option(
        name: .customLong("report-only"),
        help: "A rule that reports requests instead of refusing them, such as allowed_paths; repeatable.",
        completion: .list(PolicyRule.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
    var reportOnly: [String] = []

    func validate() throws {
        _ = try members()
    }

    /// Returns the members of the request's body.
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
                throw ValidationError("--label takes NAME=VALUE with a name and a value, not '\(text)'")
            }
            guard labels.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw ValidationError("--label sets '\(parts[0])' twice")
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
