public import AuthKeys

/// The filter, order and start of a list of events.
public struct AuditQuery: Sendable, Equatable {
    public var limit: Int
    public var oldestFirst: Bool
    /// The last event of the previous page.
    public var after: AuditCursor?
    /// `AuditActor.text`.
    public var actor: String?
    public var action: AuditAction?
    public var subject: KeyID?
    public var refused: Bool?
    public var owner: OwnerFilter?
    public var requestID: String?
    /// The first moment, inclusive.
    public var since: Timestamp?
    /// The last moment, exclusive.
    public var until: Timestamp?

    public init(
        limit: Int = 100, oldestFirst: Bool = false, after: AuditCursor? = nil, actor: String? = nil,
        action: AuditAction? = nil, subject: KeyID? = nil, refused: Bool? = nil, owner: OwnerFilter? = nil,
        requestID: String? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.limit = limit
        self.oldestFirst = oldestFirst
        self.after = after
        self.actor = actor
        self.action = action
        self.subject = subject
        self.refused = refused
        self.owner = owner
        self.requestID = requestID
        self.since = since
        self.until = until
    }
}

/// A position in the list of events. Opaque to callers, as `ListCursor` is.
public struct AuditCursor: Sendable, Equatable {
    public let at: Timestamp
    public let id: Int64

    public init(at: Timestamp, id: Int64) {
        self.at = at
        self.id = id
    }

    public init(after event: AuditEvent) {
        self.init(at: event.at, id: event.id)
    }

    public var encoded: String {
        CheckedText.encode(bigEndian(at.microseconds) + bigEndian(id))
    }

    public init?(encoded: some StringProtocol) {
        guard let bytes = CheckedText.decode(encoded), bytes.count == 16 else { return nil }
        let (at, id) = bytes.withUnsafeBytes {
            (
                Int64(bigEndian: $0.loadUnaligned(as: Int64.self)),
                Int64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: Int64.self))
            )
        }
        self.init(at: Timestamp(microseconds: at), id: id)
        guard self.at.isRepresentable else { return nil }
    }
}
