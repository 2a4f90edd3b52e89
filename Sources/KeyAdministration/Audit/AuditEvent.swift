public import AuthKeys

/// An event to be appended to the trail.
public struct NewAuditEvent: Sendable, Equatable {
    public let actor: AuditActor
    public let origin: CallOrigin
    public let action: AuditAction
    /// The key, or admin key, that the event concerns.
    public let subject: KeyID?
    /// The owner of the subject before the change; for a new subject, after it.
    public let owner: String?
    /// The reason for a refusal; nil for an action that was done.
    public let refusal: String?
    public let changes: AuditChanges

    public init(
        actor: AuditActor, origin: CallOrigin, action: AuditAction, subject: KeyID? = nil, owner: String? = nil,
        refusal: String? = nil, changes: AuditChanges = AuditChanges()
    ) {
        self.actor = actor
        self.origin = origin
        self.action = action
        self.subject = subject
        self.owner = owner
        self.refusal = refusal
        self.changes = changes
    }

    /// An action of an admin.
    public init(
        _ call: AdminCall, _ action: AuditAction, subject: KeyID? = nil, owner: String? = nil,
        changes: AuditChanges = AuditChanges()
    ) {
        self.init(
            actor: call.admin.actor, origin: call.origin, action: action, subject: subject, owner: owner,
            changes: changes)
    }

    /// A change of the limits of a plan or an owner. Its changes name the plan.
    /// - Parameters:
    ///   - before: nil for new limits.
    ///   - after: nil for removed limits.
    public init(
        _ call: AdminCall, settingLimitsOf holder: LimitHolder, from before: SharedLimits.Content?,
        to after: SharedLimits.Content?
    ) {
        var changes = AuditChanges(from: before, to: after)
        switch holder {
        case .plan(let name):
            changes.set("plan", from: before == nil ? .null : .string(name), to: after == nil ? .null : .string(name))
            self.init(call, after == nil ? .planDelete : .planSet, changes: changes)
        case .owner(let owner):
            self.init(call, after == nil ? .ownerLimitsDelete : .ownerLimitsSet, owner: owner, changes: changes)
        }
    }

    /// An action of an admin on a key.
    public init(_ call: AdminCall, _ action: AuditAction, of key: AuthKey, _ changes: AuditChanges) {
        self.init(call, action, subject: key.id, owner: key.owner, changes: changes)
    }
}

/// An event of the trail, as stored. Anyone with access to the database may have changed it, so no field is trusted.
public struct AuditEvent: Sendable, Equatable {
    public static let done = "done"
    public static let refused = "refused"

    public let id: Int64
    public let at: Timestamp
    /// The transaction that wrote the event.
    public let transaction: UInt64
    /// `AuditActor.text`.
    public let actor: String
    public let actorName: String?
    public let address: String
    public let requestID: String
    public let action: String
    public let subject: KeyID?
    public let owner: String?
    /// `done` or `refused`.
    public let outcome: String
    /// The reason for a refusal.
    public let code: String?
    /// A JSON object.
    public let changes: String
    /// The position in the chain; nil until the event is sealed.
    public let seal: Place?

    /// A position in the chain.
    public struct Place: Sendable, Equatable {
        /// Counted from 1.
        public let sequence: Int64
        public let hash: SecretDigest

        public init(sequence: Int64, hash: SecretDigest) {
            self.sequence = sequence
            self.hash = hash
        }
    }

    public init(
        id: Int64, at: Timestamp, transaction: UInt64, actor: String, actorName: String?, address: String,
        requestID: String, action: String, subject: KeyID?, owner: String?, outcome: String, code: String?,
        changes: String, seal: Place? = nil
    ) {
        self.id = id
        self.at = at
        self.transaction = transaction
        self.actor = actor
        self.actorName = actorName
        self.address = address
        self.requestID = requestID
        self.action = action
        self.subject = subject
        self.owner = owner
        self.outcome = outcome
        self.code = code
        self.changes = changes
        self.seal = seal
    }
}
