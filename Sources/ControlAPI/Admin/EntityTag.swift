import HTTPTypes
import Hummingbird

/// A key's version as an entity tag (RFC 9110 section 8.8.3).
enum EntityTag {
    static func text(_ version: Int64) -> String { "\"\(version)\"" }

    /// Returns the version that `If-Match` expects (RFC 9110 section 13.1.1); nil for any version.
    static func expected(by request: Request) throws(APIError) -> Int64? {
        let values = request.headers[values: .ifMatch]
        guard let value = values.first, value != "*" else { return nil }
        guard values.count == 1, value.hasPrefix("\""), value.hasSuffix("\""),
            let version = Int64(value.dropFirst().dropLast())
        else {
            throw .validation(
                "If-Match must be the ETag of the auth key, in its quotes (\"2\"), or *", param: "If-Match")
        }
        return version
    }
}
