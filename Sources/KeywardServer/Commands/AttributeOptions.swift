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
        name: .customLong("limit"),
        help: ArgumentHelp(
            "A limit, such as minute=600/1m,burst=100 or day=50000/day or at-a-time=20; repeatable.",
            discussion: """
                NAME=UNITS/PERIOD is a rate (1s to 1h) or a quota (hour, day, week, month). NAME=UNITS limits requests \
                under way. After it, separated by commas: burst=UNITS, match=METHOD PATH (repeatable), asked. An update \
                replaces all limits.
                """),
        transform: GivenText.nonEmpty)
    var limits: [String] = []

    @Option(help: "The plan whose limits the key has.", transform: GivenText.nonEmpty)
    var plan: String?

    @Option(
        help: ArgumentHelp(
            "The units that the key may spend, such as 1000 or 50000/month.",
            discussion: """
                UNITS/PERIOD refills them at the beginning of each day, week or month (UTC). After it, separated by \
                commas: day=DAY of a month; add to keep what is left; maximum=UNITS with add.
                """),
        transform: GivenText.nonEmpty)
    var credits: String?

    @Option(
        name: .customLong("report-only"),
        help: "A rule that reports requests instead of refusing them, such as allowed_paths; repeatable.",
        completion: .list(PolicyRule.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
    var reportOnly: [String] = []

    @Flag(inversion: .prefixedNo, help: "Let the holder of the key rotate it, or not.")
    var selfRotation: Bool?

    func validate() throws {
        _ = try members()
    }

    /// Returns the members of the request's body.
    func members() throws -> [String: ControlClient.Member] {
        var members: [String: ControlClient.Member] = [:]
        for (name, text) in [
            ("description", description), ("owner", owner), ("not_before", notBefore), ("expires_at", expiry.moment),
            ("plan", plan),
        ] {
            members[name] = text.map { .text($0) }
        }
        for (name, list) in [
            ("scopes", scopes), ("allowed_methods", allowedMethods), ("allowed_paths", allowedPaths),
            ("allowed_cidrs", allowedCIDRs), ("report_only", reportOnly),
        ] where !list.isEmpty {
            members[name] = .list(list)
        }
        members["self_rotation"] = selfRotation.map { .flag($0) }
        if !labels.isEmpty { members["labels"] = .texts(try Self.labels(labels)) }
        if let metadata { members["metadata"] = .json(try Self.object(metadata)) }
        if !limits.isEmpty { members["limits"] = .json(.array(try limits.map(LimitOption.limit))) }
        if let credits { members["credits"] = .json(try LimitOption.credits(credits)) }
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
