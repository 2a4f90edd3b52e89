import AuthKeys
import HummingbirdCore
import KeyAdministration

/// The query of the audit trail's routes, and the `Link` to the next page.
struct AuditParameters {
    static let filters = ["actor", "action", "key_id", "outcome", "owner", "request_id", "since", "until"]

    private let asked: AuditQuery
    /// The filters of the request, for the link.
    private let items: [String]

    init(_ uri: URI) throws(APIError) {
        let parameters = try QueryParameters(uri)
        var query = AuditQuery(limit: try ListParameters.limit(parameters["limit"]))
        var items: [String] = []
        query.after = try ListParameters.cursor(parameters["cursor"]) { AuditCursor(encoded: $0) }
        func given(_ param: String, limit: Int = FieldRules.nameLimit) throws(APIError) -> String? {
            guard let text = try ListParameters.text(parameters[param], param: param, limit: limit) else { return nil }
            items.append("\(param)=\(PercentEncoding.encode(text))")
            return text
        }
        if let text = try given("actor") {
            guard let actor = AuditActor(text: text, name: nil) else {
                throw .validation(
                    "actor must be bootstrap, anonymous, system, the id of an admin key, or key: and the id of a key",
                    param: "actor")
            }
            query.actor = actor.text
        }
        if let text = try given("action") {
            guard let action = AuditAction(rawValue: text) else {
                let known = AuditAction.allCases.map(\.rawValue).joined(separator: ", ")
                throw .validation("action must be one of \(known)", param: "action")
            }
            query.action = action
        }
        if let text = try given("key_id") {
            guard let id = KeyID(text) else { throw .validation("key_id must be the id of a key", param: "key_id") }
            query.subject = id
        }
        if let text = try given("outcome") {
            guard [AuditEvent.done, AuditEvent.refused].contains(text) else {
                throw .validation("outcome must be done or refused", param: "outcome")
            }
            query.refused = text == AuditEvent.refused
        }
        query.owner = try ListParameters.owner(given("owner", limit: ListParameters.ownerLimit))
        query.requestID = try given("request_id")
        query.since = try given("since").map { text throws(APIError) in try Timestamp(inQuery: text, param: "since") }
        query.until = try given("until").map { text throws(APIError) in try Timestamp(inQuery: text, param: "until") }
        asked = query
        self.items = items
    }

    /// Returns the query limited to the events that the admin may read; nil if there are none.
    func query(for admin: Admin) -> AuditQuery? {
        var query = asked
        return admin.owners.limit(&query.owner) ? query : nil
    }

    func link(to next: AuditCursor) -> String {
        ListParameters.link(AuditRoutes.path, ["limit=\(asked.limit)", "cursor=\(next.encoded)"] + items)
    }
}

extension AuditEvent.Place {
    /// Reads `SEQ:HASH`, with the hash in hexadecimal; nil for anything else.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = Int64(parts[0]), sequence > 0,
            let hash = Hex.decode(Array(parts[1].utf8)).flatMap({ SecretDigest($0) })
        else { return nil }
        self.init(sequence: sequence, hash: hash)
    }
}
