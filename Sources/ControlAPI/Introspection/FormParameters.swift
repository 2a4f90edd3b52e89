import Foundation

/// The parameters of a form body (`application/x-www-form-urlencoded`, the URL Standard section 5.1).
struct FormParameters {
    static let mediaType = "application/x-www-form-urlencoded"

    private let values: [String: [String]]

    /// Nil for what is no such body.
    init?(_ body: String) {
        var values: [String: [String]] = [:]
        for pair in body.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.decoded)
            guard let name = parts[0], let value = parts.count == 1 ? "" : parts[1] else { return nil }
            values[name, default: []].append(value)
        }
        self.values = values
    }

    /// A parameter's one value; nil where it is not there or is empty, which is the same (RFC 6749 section 3.1).
    /// - Throws: for one that is there twice (RFC 6749 section 3.2).
    func value(_ name: String) throws(OAuthError) -> String? {
        let given = values[name] ?? []
        guard given.count <= 1 else { throw .invalidRequest("\(name) is there more than once") }
        return given.first.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Nil for what is not percent-encoded UTF-8.
    static func decoded(_ text: some StringProtocol) -> String? {
        String(text.map { $0 == "+" ? " " : $0 }).removingPercentEncoding
    }
}
