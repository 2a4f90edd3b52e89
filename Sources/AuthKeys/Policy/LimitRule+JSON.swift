extension LimitRule {
    private static let members = ["name", "limit", "per", "burst", "concurrent", "match", "asked"]

    /// Returns limits as the API and the database write them.
    public static func json(_ limits: [LimitRule]) -> JSONValue { .array(limits.map(\.json)) }

    /// Reads a list of limits.
    /// - Parameters:
    ///   - param: the name of the list, for errors.
    ///   - count: the maximum number of limits.
    public static func list(
        _ json: JSONValue, at param: String = "limits", upTo count: Int = countLimit
    ) throws(LimitFault) -> [LimitRule] {
        guard case .array(let values) = json else { throw LimitFault(param, "must be an array") }
        var limits: [LimitRule] = []
        for (number, value) in values.enumerated() {
            let limit = try LimitRule(json: value, at: "\(param)[\(number)]")
            guard !limits.contains(where: { $0.name == limit.name }) else {
                throw LimitFault("\(param)[\(number)].name", "must be unique: '\(limit.name)' occurs twice")
            }
            limits.append(limit)
        }
        guard limits.count <= count else { throw LimitFault(param, "must be at most \(count)") }
        return limits
    }

    /// - Parameter param: the name of the value, for errors.
    init(json: JSONValue, at param: String) throws(LimitFault) {
        let members = try LimitMembers(json, at: param, names: Self.members)
        guard let name = try members.text("name"), Self.isName(name) else {
            throw LimitFault(members.path("name"), "must be 1 to \(Self.nameLimit) characters of a-z, 0-9 and -")
        }
        let kind: Kind
        let limit: Int64
        if let slots = try members.number("concurrent", in: 1...Self.unitLimit) {
            for other in ["limit", "per", "burst"] where members.has(other) {
                throw LimitFault(members.path(other), "cannot be combined with concurrent")
            }
            (kind, limit) = (.concurrent, slots)
        } else {
            guard let units = try members.number("limit", in: 1...Self.unitLimit) else {
                throw LimitFault(members.path("limit"), "is required, unless concurrent is given")
            }
            (kind, limit) = (try Self.kind(members, limit: units), units)
        }
        let asked = try members.flag("asked")
        guard let rule = LimitRule(name, kind, limit: limit, match: try Self.match(members), isAsked: asked) else {
            throw LimitFault(param, "is not a limit")
        }
        self = rule
    }

    private static func kind(_ members: LimitMembers, limit: Int64) throws(LimitFault) -> Kind {
        let rule = "must be a duration from 1s to 1h, such as 1m, or one of \(CalendarPeriod.names)"
        guard let per = try members.text("per") else { throw LimitFault(members.path("per"), rule) }
        let burst = try members.number("burst", in: 1...unitLimit)
        if let period = CalendarPeriod(name: per) {
            guard burst == nil else {
                throw LimitFault(members.path("burst"), "is accepted with a duration only, not with \(period.name)")
            }
            return .quota(period)
        }
        guard let period = duration(per), periods.contains(period) else { throw LimitFault(members.path("per"), rule) }
        return .rate(period: period, burst: burst ?? limit)
    }

    private static func match(_ members: LimitMembers) throws(LimitFault) -> [RequestPattern] {
        guard let value = members.value("match") else { return [] }
        let param = members.path("match")
        guard case .array(let texts) = value else { throw LimitFault(param, "must be an array") }
        guard texts.count <= matchLimit else { throw LimitFault(param, "must be at most \(matchLimit)") }
        var patterns: [RequestPattern] = []
        for text in texts {
            guard case .string(let text) = text, let pattern = RequestPattern(text) else {
                throw LimitFault(param, "takes patterns such as 'POST /v1/images/**', or '* /v1/**' for any method")
            }
            if !patterns.contains(pattern) { patterns.append(pattern) }
        }
        return patterns
    }

    public var json: JSONValue {
        var members: [String: JSONValue] = ["name": .string(name)]
        switch kind {
        case .rate(let period, let burst):
            members["limit"] = .integer(limit)
            members["per"] = .string(Self.text(period))
            if burst != limit { members["burst"] = .integer(burst) }
        case .quota(let period):
            members["limit"] = .integer(limit)
            members["per"] = .string(period.name)
        case .concurrent: members["concurrent"] = .integer(limit)
        }
        if !match.isEmpty { members["match"] = .array(match.map { .string($0.text) }) }
        if isAsked { members["asked"] = .bool(true) }
        return .object(members)
    }

    private static let units: [(name: String, milliseconds: Int64)] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]

    /// Reads a whole number with a unit: `1500ms`, `10s`, `1m`, `1h`.
    private static func duration(_ text: String) -> Duration? {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
        guard digits.count <= 9, let count = Int64(Substring(digits)) else { return nil }
        let unit = text.utf8.dropFirst(digits.count)
        guard let scale = (units + [("ms", 1)]).first(where: { unit.elementsEqual($0.name.utf8) }) else { return nil }
        return .milliseconds(count * scale.milliseconds)
    }

    /// Returns the period of a rate with the largest unit that it is a multiple of.
    public static func text(_ period: Duration) -> String {
        let milliseconds = period.microseconds / 1_000
        let unit = units.first { milliseconds % $0.milliseconds == 0 }
        return unit.map { "\(milliseconds / $0.milliseconds)\($0.name)" } ?? "\(milliseconds)ms"
    }
}

extension CalendarPeriod {
    /// Reads the name of a period.
    public init?(name: String) {
        guard let period = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = period
    }

    /// The names of all periods.
    static let names = allCases.map(\.name).joined(separator: ", ")
}
