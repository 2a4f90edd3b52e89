/// A failure of a store.
public struct StoreError: Error, Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// The database cannot be used now, and no change was made. It cannot be reached, is starting, stopping or
        /// read-only, lacks a resource or its schema, or did not respond in time.
        case unavailable
        /// The commit of a change was sent, and its confirmation was lost: the change may have been made, or may still
        /// be made. The audit trail shows which, by the request id of the call.
        case outcomeUnknown
        /// An object with this identity exists already.
        case conflict
        /// Any other error, of Keyward or of the schema.
        case failed
    }

    public let kind: Kind
    /// For logs; it contains nothing that a caller sent.
    public let detail: String

    public init(_ kind: Kind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String { "\(kind.rawValue): \(detail)" }
}
