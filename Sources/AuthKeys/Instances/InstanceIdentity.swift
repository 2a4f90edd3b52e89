/// The identity of a running process that verifies keys.
public struct InstanceIdentity: Hashable, Sendable {
    /// The program that verifies.
    public enum Kind: String, CaseIterable, Sendable {
        /// `keyward serve`.
        case serve
        /// An app that verifies keys in its own process.
        case middleware
    }

    /// The identifier of this run of the process. Each start generates a new one.
    public let id: KeyID
    /// The name that operators see. It stays the same over restarts, and two processes can have the same.
    public let name: String
    /// The version of Keyward.
    public let version: String
    public let kind: Kind

    public init(
        id: KeyID = .generate(), name: InstanceName, version: String = KeywardVersion.current, kind: Kind
    ) {
        self.init(id: id, name: name.text, version: version, kind: kind)
    }

    /// Creates the identity that a row of the database has.
    package init(id: KeyID, name: String, version: String, kind: Kind) {
        self.id = id
        self.name = name
        self.version = version
        self.kind = kind
    }
}
