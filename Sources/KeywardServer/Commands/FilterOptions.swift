import ArgumentParser

/// Which keys `keys list` and `keys export` show.
struct FilterOptions: ParsableArguments {
    @Option(help: "active, disabled, deactivated or expired.")
    var status: String?

    @Option(help: "Only keys of this owner.")
    var owner: String?

    @Option(help: "Only keys with this label: NAME or NAME=VALUE.")
    var label: String?

    @Option(
        name: [.customShort("q"), .customLong("query")], help: "Only keys whose name or description contains this.")
    var text: String?

    var query: [(String, String)] {
        [("status", status), ("owner", owner), ("label", label), ("q", text)]
            .compactMap { name, value in value.map { (name, $0) } }
    }
}
