import AuthKeys
import HTTPCredentials
import HummingbirdCore
import KeyAdministration
import RequestLog

/// The query of the routes of the request log, and the `Link` to the next page.
struct RequestParameters {
    /// The filters of a tail, which has no bounds of time.
    static let properties = [
        "key_id", "owner", "status", "outcome", "code", "method", "path", "address", "min_ms", "surface", "instance",
    ]
    static let filters = properties + ["request_id", "since", "until"]

    static let milliseconds: ClosedRange<Int64> = 1...86_400_000
    /// The maximum size of a code, and of a path as the log keeps it, in bytes.
    static let codeLimit = 64
    static let pathLimit = 512

    let query: RequestQuery
    /// The parameters that the link to the next page repeats.
    private let items: [String]

    init(_ uri: URI, now: Timestamp = .now) throws(APIError) {
        let parameters = try QueryParameters(uri)
        var query = RequestQuery(limit: try ListParameters.limit(parameters["limit"]))
        query.after = try ListParameters.cursor(parameters["cursor"]) { RequestCursor(encoded: $0) }
        var items: [String] = []
        func given(_ param: String, limit: Int = FieldRules.nameLimit) throws(APIError) -> String? {
            guard let text = try ListParameters.text(parameters[param], param: param, limit: limit) else { return nil }
            items.append("\(param)=\(PercentEncoding.encode(text))")
            return text
        }
        func read<Value>(
            _ param: String, _ rule: String, limit: Int = FieldRules.nameLimit, _ value: (String) -> Value?
        ) throws(APIError) -> Value? {
            guard let text = try given(param, limit: limit) else { return nil }
            guard let value = value(text) else { throw .validation("\(param) must be \(rule)", param: param) }
            return value
        }
        query.keyID = try read("key_id", "the id of a key") { KeyID($0) }
        query.owner = try ListParameters.owner(given("owner", limit: ListParameters.ownerLimit))
        query.requestID = try read("request_id", "32 hexadecimal digits, as in X-Request-Id") { RequestID($0) }
        query.status = try read("status", StatusRange.rule) { StatusRange($0) }
        query.outcome = try read("outcome", "one of \(Self.list(RequestOutcome.allCases.map(\.name)))") {
            RequestOutcome(name: $0)
        }
        query.surface = try read("surface", "one of \(Self.list(RequestSurface.allCases.map(\.name)))") {
            RequestSurface(name: $0)
        }
        query.code = try read(
            "code", "1 to \(Self.codeLimit) small letters, digits and underscores, such as key_expired", Self.code)
        query.method = try read("method", "an HTTP method such as GET") { text in
            text.utf8.allSatisfy { $0 < 0x80 } ? MethodName.checked(text) : nil
        }
        query.pathPrefix = try read(
            "path", "the beginning of a percent-encoded path, which begins with /, of at most \(Self.pathLimit) bytes",
            limit: Self.pathLimit, Self.path)
        query.address = try read("address", "an address, or a network such as 10.0.0.0/8 or 2001:db8::/32") {
            IPNetwork($0)
        }
        query.minimumMilliseconds = try read(
            "min_ms", "a number of milliseconds from \(Self.milliseconds.lowerBound) to \(Self.milliseconds.upperBound)"
        ) { Int64($0).flatMap { Self.milliseconds.contains($0) ? $0 : nil } }
        query.instance = try given("instance")
        query.since = try ListParameters.moment(parameters["since"], param: "since", now: now)
        query.until = try ListParameters.moment(parameters["until"], param: "until", now: now)
        // As times, so that all pages have the same bounds.
        for (param, moment) in [("since", query.since), ("until", query.until)] {
            if let moment { items.append("\(param)=\(PercentEncoding.encode("\(moment)"))") }
        }
        self.query = query
        self.items = items
    }

    func link(to next: RequestCursor) -> String {
        ListParameters.link(RequestRoutes.path, ["limit=\(query.limit)", "cursor=\(next.encoded)"] + items)
    }

    private static func code(_ text: String) -> String? {
        let isCode = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
        }
        return isCode && text.utf8.count <= codeLimit ? text : nil
    }

    private static func path(_ text: String) -> String? {
        guard text.utf8.count <= pathLimit, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return text.utf8.first == UInt8(ascii: "/") || text.utf8.elementsEqual("*".utf8) ? text : nil
    }

    private static func list(_ names: [String]) -> String { names.joined(separator: ", ") }
}
