import ControlBodies

/// Plans, limits of owners, and levels as text.
enum LimitTable {
    static func table(_ plans: [SharedLimitsJSON]) -> TextTable {
        TextTable(
            columns: [
                TextTable.Column(title: "NAME"), TextTable.Column(title: "LIMITS", cutWidth: 12),
                TextTable.Column(title: "DESCRIPTION", dropRank: 1, cutWidth: 12),
                TextTable.Column(title: "UPDATED", dropRank: 2),
            ],
            rows: plans.map { plan in
                [
                    TextTable.printable(plan.name ?? ""), TextTable.printable(limits(plan)),
                    TextTable.printable(plan.description ?? "-"), plan.updatedAt.map(TextTable.moment) ?? "-",
                ]
            })
    }

    /// Returns the limits of a plan or an owner as text, one line per field.
    static func details(_ shared: SharedLimitsJSON) -> [String] {
        var fields: [(String, String)] = []
        if let name = shared.name { fields.append(("name", TextTable.printable(name))) }
        if let owner = shared.owner { fields.append(("owner", TextTable.printable(owner))) }
        if let description = shared.description { fields.append(("description", TextTable.printable(description))) }
        for limit in shared.limits { fields.append(("limit", TextTable.printable(LimitLine.text(limit)))) }
        if shared.limits.isEmpty { fields.append(("limits", "none")) }
        if let updated = shared.updatedAt { fields.append(("updated", TextTable.moment(updated))) }
        return TextTable.aligned(fields.map { [$0.0, $0.1] })
    }

    /// Returns the levels of a key's limits as text, one line per limit.
    static func lines(_ limits: KeyLimitsJSON) -> [String] {
        let credits = limits.credits.map { ["credits: \(TextTable.printable(LimitLine.text(ofCredits: $0)))"] } ?? []
        if limits.limits.isEmpty { return ["no limit applies"] + credits }
        let rows = limits.limits.map { level in
            [
                TextTable.printable(level.name), TextTable.printable(LimitLine.text(level.limit)),
                TextTable.printable(level.plan.map { "plan \($0)" } ?? level.owner.map { "owner \($0)" } ?? "key"),
                number(level.used), number(level.remaining),
                level.resetSeconds.map { "\(number($0.rounded(.up)))s" } ?? "-",
            ]
        }
        return TextTable.aligned([["NAME", "LIMIT", "OF", "USED", "REMAINING", "RESET"]] + rows) + credits
    }

    private static func limits(_ shared: SharedLimitsJSON) -> String {
        shared.limits.map { LimitLine.text($0) }.joined(separator: " ")
    }

    private static func number(_ number: Double) -> String {
        Int64(exactly: number.rounded(.up)).map(String.init) ?? "\(number)"
    }
}
