import AuthKeys

/// What is called otherwise in Unkey's API than in Keyward's.
enum UnkeyNames {
    /// The label that keeps a key's `apiId`.
    static let apiLabel = "unkey.api_id"
    /// The name of a key that was given none: Keyward's keys all have one.
    static let unnamed = "unnamed"

    /// What a member of Keyward's is called there.
    static func member(_ name: String) -> String {
        switch name {
        case "owner": "externalId"
        case "scopes": "permissions"
        case "metadata": "meta"
        case "labels": "apiId"
        case "expires_at": "expires"
        default: name
        }
    }
}

extension Timestamp {
    /// Reads milliseconds since 1970, as Unkey has all moments.
    init(milliseconds: Int64, param: String) throws(APIError) {
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000)
        self.init(microseconds: microseconds)
        guard !overflow, isRepresentable else {
            throw .validation("\(param) is not a number of milliseconds since 1970", param: param)
        }
    }
}
