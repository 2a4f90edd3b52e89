/// Why a store could not do what was asked.
public struct StoreError: Error, Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// The database cannot be reached, is starting, stopping or read-only, or did not answer in time. Whether a change was
        /// made is not known; every change of this protocol can be repeated.
        case unavailable
        /// Something with this identity exists already.
        case conflict
        /// Anything else: a fault of ours or of the schema.
        case failed
    }

    public let kind: Kind
    /// For logs: safe to write down, nothing that a caller sent.
    public let detail: String

    public init(_ kind: Kind, detail: String) {
        self.kind = kind
        self.detail = detail
    }
}

extension StoreError: CustomStringConvertible {
    public var description: String { "\(kind.rawValue): \(detail)" }
}
