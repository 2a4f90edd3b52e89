import AuthKeys
import HummingbirdCore

/// The query string of `GET /admin/api/v1/auth-keys`, and the `Link` to the next page.
struct ListParameters {
    static let limits = 1...1_000
    static let defaultLimit = 100

    let query: KeyQuery

    init(_ uri: URI) throws(APIError) {
        let parameters = uri.queryParameters
        var query = KeyQuery(limit: Self.defaultLimit)
        query.limit = try Self.limit(parameters["limit"])
        query.after = try Self.cursor(parameters["cursor"]) { ListCursor(encoded: $0) }
        if let text = parameters["status"] {
            guard let status = KeyQuery.Status(rawValue: String(text)) else {
                let known = KeyQuery.Status.allCases.map(\.rawValue).joined(separator: ", ")
                throw .validation("status must be one of \(known)", param: "status")
            }
            query.status = status
        }
        query.owner = try Self.text(parameters["owner"], param: "owner", limit: FieldRules.ownerLimit)
        if let label = try Self.text(parameters["label"], param: "label", limit: FieldRules.nameLimit * 2) {
            let parts = label.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.label = KeyQuery.Label(name: String(parts[0]), value: parts.count == 2 ? String(parts[1]) : nil)
        }
        query.text = try Self.text(parameters["q"], param: "q", limit: FieldRules.nameLimit)
        self.query = query
    }

    static func limit(_ text: Substring?) throws(APIError) -> Int {
        guard let text else { return defaultLimit }
        guard let limit = Int(text), limits.contains(limit) else {
            throw .validation(
                "limit must be a number from \(limits.lowerBound) to \(limits.upperBound)", param: "limit")
        }
        return limit
    }

    static func cursor<Cursor>(_ text: Substring?, _ read: (Substring) -> Cursor?) throws(APIError) -> Cursor? {
        guard let text else { return nil }
        guard let cursor = read(text) else {
            throw .validation("cursor is not one that a list gave out", param: "cursor")
        }
        return cursor
    }

    static func text(_ raw: Substring?, param: String, limit: Int) throws(APIError) -> String? {
        guard let raw, !raw.isEmpty else { return nil }
        guard raw.unicodeScalars.count <= limit, !raw.utf8.contains(0) else {
            throw .validation("\(param) must be at most \(limit) characters, without NUL", param: param)
        }
        return String(raw)
    }

    /// RFC 8288; relative to wherever the listener is reached.
    func link(to next: ListCursor) -> String {
        var items = ["limit=\(query.limit)", "cursor=\(next.encoded)"]
        if let status = query.status { items.append("status=\(status.rawValue)") }
        if let owner = query.owner { items.append("owner=\(PercentEncoding.encode(owner))") }
        if let label = query.label {
            let text = label.name + (label.value.map { "=" + $0 } ?? "")
            items.append("label=\(PercentEncoding.encode(text))")
        }
        if let text = query.text { items.append("q=\(PercentEncoding.encode(text))") }
        return Self.link(AuthKeyRoutes.path, items)
    }

    static func link(_ path: String, _ items: [String]) -> String {
        "<\(path)?\(items.joined(separator: "&"))>; rel=\"next\""
    }
}
