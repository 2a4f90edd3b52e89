import AuthKeys

/// The names in Unkey's API that differ from Keyward's.
enum UnkeyNames {
    /// The label that stores a key's `apiId`.
    static let apiLabel = "unkey.api_id"
    /// The name of a key without one, because Keyward requires a name.
    static let unnamed = "unnamed"

    /// Returns Unkey's name of a member of Keyward's API.
    static func member(_ name: String) -> String {
        switch name {
        case "owner": "externalId"
        case "scopes": "permissions"
        case "metadata": "meta"
        case "labels": "apiId"
        case "expires_at": "expires"
        case "limits": "ratelimits"
        default: name
        }
    }
}

extension Timestamp {
    /// Reads milliseconds since 1970, the unit of all times in Unkey's API.
    init(milliseconds: Int64, param: String) throws(APIError) {
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        self.init(microseconds: microseconds)
        guard !overflow, isRepresentable else {
            throw .validation("\(param) is not a number of milliseconds since 1970", param: param)
        }
    }
}
