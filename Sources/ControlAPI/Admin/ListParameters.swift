import AuthKeys
import HummingbirdCore
import KeyAdministration

/// The query of `GET /admin/api/v1/auth-keys`, and the `Link` to the next page.
struct ListParameters {
    static let limits = 1...1_000
    static let defaultLimit = 100
    static let paging = ["limit", "cursor"]
    /// The parameters that select and order the keys.
    static let filters = [
        "sort", "status", "expiring_within", "unused_for", "owner", "label", "scope", "prefix", "last_four", "q",
    ]

    let query: KeyQuery
    /// True if the caller requests the number of keys on all pages.
    let wantsTotal: Bool
    /// The parameters that the link to the next page repeats.
    private let items: [(name: String, value: String)]

    init(_ uri: URI) throws(APIError) {
        var reader = Reader(try QueryParameters(uri))
        var query = KeyQuery(limit: Self.defaultLimit)
        query.limit = try Self.limit(reader.text("limit"))
        if let text = reader.text("sort") {
            guard let order = KeyOrder(text) else {
                let known = KeyOrder.Field.allCases.map(\.rawValue).joined(separator: ", ")
                throw .validation("sort must be one of \(known), or one with - before it for descending", param: "sort")
            }
            query.order = order
        }
        if let text = reader.text("status") {
            guard let status = KeyQuery.Status(rawValue: text) else {
                let known = KeyQuery.Status.allCases.map(\.rawValue).joined(separator: ", ")
                throw .validation("status must be one of \(known)", param: "status")
            }
            query.status = status
        }
        query.expiringWithin = try reader.time("expiring_within")
        query.unusedFor = try reader.time("unused_for")
        query.owner = try Self.owner(reader.text("owner", limit: Self.ownerLimit))
        if let label = try reader.text("label", limit: FieldRules.nameLimit * 2) {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.label = KeyQuery.Label(name: String(parts[0]), value: parts.count == 2 ? String(parts[1]) : nil)
        }
        query.scope = try reader.text("scope", limit: FieldRules.nameLimit)
        query.prefix = try reader.text("prefix", limit: FieldRules.nameLimit)
        if let prefix = query.prefix, TokenPrefix(prefix) == nil {
            throw .validation("prefix must be \(TokenPrefix.rule)", param: "prefix")
        }
        query.lastFour = try reader.text("last_four", limit: FieldRules.nameLimit)
        if let lastFour = query.lastFour, lastFour.unicodeScalars.count != 4 {
            throw .validation("last_four must be four characters", param: "last_four")
        }
        query.text = try reader.text("q", limit: FieldRules.nameLimit)
        items = reader.items
        query.after = try Self.cursor(reader.text("cursor")) { ListCursor(encoded: $0) }
        let total = reader.text("total")
        guard [nil, "true", "false"].contains(total) else {
            throw .validation("total must be true or false", param: "total")
        }
        wantsTotal = total == "true"
        self.query = query
    }

    /// Returns a `Link` field (RFC 8288). Its URL is relative, because the listener may be reached under any address.
    func link(to next: ListCursor) -> String {
        let query = (items + [("cursor", next.encoded)]).map { "\($0)=\(PercentEncoding.encode($1))" }
        return Self.link(AuthKeyRoutes.path, query)
    }

    static func limit(_ text: String?) throws(APIError) -> Int {
        guard let text else { return defaultLimit }
        guard let limit = Int(text), limits.contains(limit) else {
            throw .validation(
                "limit must be a number from \(limits.lowerBound) to \(limits.upperBound)", param: "limit")
        }
        return limit
    }

    static func cursor<Cursor>(_ text: String?, _ read: (String) -> Cursor?) throws(APIError) -> Cursor? {
        guard let text else { return nil }
        guard let cursor = read(text) else {
            throw .validation("cursor is not valid: use one that a list returned", param: "cursor")
        }
        return cursor
    }

    /// Checks a filter's text. An empty one is refused: the caller meant to filter, and must not get every key.
    static func text(_ raw: String?, param: String, limit: Int) throws(APIError) -> String? {
        guard let raw else { return nil }
        guard (1...limit).contains(raw.unicodeScalars.count), !raw.utf8.contains(0) else {
            throw .validation("\(param) must be 1 to \(limit) characters, without NUL", param: param)
        }
        return raw
    }

    /// Reads a time, or a duration before now that is longer than zero.
    static func moment(_ text: String?, param: String, now: Timestamp) throws(APIError) -> Timestamp? {
        guard let text = try Self.text(text, param: param, limit: FieldRules.nameLimit) else { return nil }
        if let age = Duration(setting: text), age > .zero { return now.advanced(by: .zero - age) }
        do {
            return try Timestamp(inQuery: text, param: param)
        } catch {
            throw .validation(
                "\(error.message); a duration before now, such as 15m, is accepted too", param: param)
        }
    }

    /// The maximum length of a filter by owner, which may end in `/**`.
    static let ownerLimit = OwnerPath.lengthLimit + 3

    /// Reads a filter by owner: `acme` for one owner, `acme/**` for it and all below it. Refuses text that no key can
    /// have as its owner, such as `acme/*`.
    static func owner(_ text: String?, param: String = "owner") throws(APIError) -> OwnerFilter? {
        guard let text else { return nil }
        guard let filter = OwnerFilter(text: text), let owner = try? FieldRules.owner(filter.path) else {
            throw .validation(
                "\(param) must be an owner such as acme/payments, or acme/** for acme and all owners below it",
                param: param)
        }
        return OwnerFilter(owner, includesBelow: filter.includesBelow)
    }

    static func link(_ path: String, _ items: [String]) -> String {
        "<\(path)?\(items.joined(separator: "&"))>; rel=\"next\""
    }
}

/// Reads parameters, and records those that are present.
private struct Reader {
    private let parameters: QueryParameters
    private(set) var items: [(name: String, value: String)] = []

    init(_ parameters: QueryParameters) {
        self.parameters = parameters
    }

    mutating func text(_ name: String) -> String? {
        guard let value = parameters[name] else { return nil }
        items.append((name, value))
        return value
    }

    mutating func text(_ name: String, limit: Int) throws(APIError) -> String? {
        try ListParameters.text(text(name), param: name, limit: limit)
    }

    /// Reads a duration with a unit, or in seconds.
    mutating func time(_ name: String) throws(APIError) -> Duration? {
        guard let text = text(name) else { return nil }
        guard let time = Duration(setting: text) ?? Duration(setting: text + "s"), time > .zero else {
            throw .validation(
                "\(name) must be a duration such as 30d, 12h or 3600 (seconds), at most a century", param: name)
        }
        return time
    }
}
