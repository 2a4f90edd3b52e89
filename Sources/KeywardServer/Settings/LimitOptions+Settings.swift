import AuthKeys

extension LimitOptions {
    init(_ source: SettingsSource) throws(SettingsError) {
        self.init(
            mode: try source.value(Setting.limits) { Mode(rawValue: $0) },
            away: try source.value(Setting.limitsAway) { Away(rawValue: $0) },
            firstUse: try source.value(Setting.creditsFirstUse) { FirstUse(rawValue: $0) },
            cells: try source.number(Setting.limitsCells), rows: try source.number(Setting.limitsRows))
    }
}
