import ArgumentParser
import KeyAdministration

/// The filters of `keys list` and `keys export`.
struct FilterOptions: ParsableArguments {
    @Option(
        help: "Only keys with this status: active, disabled, deactivated or expired.",
        completion: .list(KeyQuery.Status.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
    var status: String?

    @Option(help: "Only keys that expire within this time, such as 30d or 12h.", transform: GivenText.nonEmpty)
    var expiringWithin: String?

    @Option(help: "Only keys that were not used within this time, such as 90d.", transform: GivenText.nonEmpty)
    var unusedFor: String?

    @Option(help: "Only keys of this owner; 'acme/**' for acme and all owners below it.", transform: GivenText.nonEmpty)
    var owner: String?

    @Option(help: "Only keys with this label: NAME or NAME=VALUE.", transform: GivenText.nonEmpty)
    var label: String?

    @Option(help: "Only keys that have this scope.", transform: GivenText.nonEmpty)
    var scope: String?

    @Option(help: "Only keys with a secret of this prefix.", transform: GivenText.nonEmpty)
    var prefix: String?

    @Option(help: "Only keys with a secret that ends in these four characters.", transform: GivenText.nonEmpty)
    var lastFour: String?

    @Option(
        name: [.customShort("q"), .customLong("query")],
        help:
            "Only keys whose name or description contains this text. One or two characters match only at the start of a word.",
        transform: GivenText.nonEmpty)
    var text: String?

    var query: [(String, String)] {
        [
            ("status", status), ("expiring_within", expiringWithin), ("unused_for", unusedFor), ("owner", owner),
            ("label", label), ("scope", scope), ("prefix", prefix), ("last_four", lastFour), ("q", text),
        ].compactMap { name, value in value.map { (name, $0) } }
    }
}
