/// The parsed content of a line, not validated yet.
public struct ImportRequest: Sendable {
    public var attributes: KeyAttributes
    /// Generated if nil.
    public var id: String?
    public var createdAt: Timestamp?
    public var updatedAt: Timestamp?
    public var deactivatedAt: Timestamp?
    public var secret: Secret

    /// Either a token, or a digest with its algorithm, encoding and part.
    public struct Secret: Sendable {
        public var token: String?
        public var digest: String?
        public var algorithm: String?
        public var encoding: String?
        public var part: String?
        /// The text that the tokens begin with, including a separator.
        public var prefix: String?
        public var lastFour: String?

        public init(
            token: String? = nil, digest: String? = nil, algorithm: String? = nil, encoding: String? = nil,
            part: String? = nil, prefix: String? = nil, lastFour: String? = nil
        ) {
            self.token = token
            self.digest = digest
            self.algorithm = algorithm
            self.encoding = encoding
            self.part = part
            self.prefix = prefix
            self.lastFour = lastFour
        }
    }

    public init(
        attributes: KeyAttributes, secret: Secret, id: String? = nil, createdAt: Timestamp? = nil,
        updatedAt: Timestamp? = nil, deactivatedAt: Timestamp? = nil
    ) {
        self.attributes = attributes
        self.secret = secret
        self.id = id
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.deactivatedAt = deactivatedAt
    }

    /// Returns the validated key of the line. Unlike a created key, it may be expired or deactivated already, and gets
    /// no default expiry.
    /// - Parameter prefixes: the prefixes of the known schemes.
    func checked(
        line: Int, now: Timestamp, lifetimes: KeyLifetimes, prefixes: Set<String> = []
    ) throws(AuthKeyError) -> ImportedKey {
        let attributes = try FieldRules.checked(attributes)
        try Self.past(createdAt, param: "created_at", now: now)
        try Self.past(updatedAt, param: "updated_at", now: now)
        try Self.past(deactivatedAt, param: "deactivated_at", now: now)
        if deactivatedAt == nil, attributes.expiresAt.map({ $0 > now }) ?? true {
            try FieldRules.expiry(attributes.expiresAt, now: now, lifetimes: lifetimes)
        }
        return ImportedKey(
            line: line, id: try id(now: now), attributes: attributes, secret: try secret.checked(prefixes: prefixes),
            createdAt: createdAt ?? now, updatedAt: updatedAt ?? createdAt ?? now, deactivatedAt: deactivatedAt)
    }

    private func id(now: Timestamp) throws(AuthKeyError) -> KeyID {
        guard let id else { return .generate(at: now) }
        guard let known = KeyID(id) else { throw .invalid(param: "id", message: "id must be a UUID") }
        return known
    }

    private static func past(_ moment: Timestamp?, param: String, now: Timestamp) throws(AuthKeyError) {
        guard let moment, moment > now else { return }
        throw .invalid(param: param, message: "\(param) must not be in the future")
    }
}
