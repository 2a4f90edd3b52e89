import ControlBodies

/// Instances as text.
enum InstanceTable {
    private static let columns = [
        TextTable.Column(title: "NAME", cutWidth: 12), TextTable.Column(title: "STATUS"),
        TextTable.Column(title: "KIND", dropRank: 4), TextTable.Column(title: "VERSION", dropRank: 3),
        TextTable.Column(title: "INDEX AGE", dropRank: 1), TextTable.Column(title: "LAG", dropRank: 2),
        TextTable.Column(title: "STARTED", dropRank: 5), TextTable.Column(title: "SEEN", dropRank: 6),
        TextTable.Column(title: "ID", dropRank: 7),
    ]

    static func table(_ instances: [InstanceJSON]) -> TextTable {
        TextTable(
            columns: columns,
            rows: instances.map { instance in
                [
                    TextTable.printable(instance.name), instance.live ? "live" : "gone", instance.kind,
                    TextTable.printable(instance.version), instance.indexAgeSeconds.map { "\($0)s" } ?? "-",
                    instance.lag.map(String.init) ?? "-", TextTable.moment(instance.startedAt),
                    TextTable.moment(instance.seenAt), instance.id,
                ]
            })
    }
}
