package import AuthKeys

/// An audit event. Empty members are omitted.
package struct AuditEventJSON: Codable, Sendable {
    package struct Actor: Codable, Sendable {
        package let kind: String
        package let id: String?
        package let name: String?

        package init(kind: String, id: String?, name: String?) {
            self.kind = kind
            self.id = id
            self.name = name
        }
    }

    package let id: Int64
    package let at: String
    package let actor: Actor
    package let address: String
    package let requestID: String
    package let action: String
    package var keyID: String?
    package var owner: String?
    package let outcome: String
    package var code: String?
    package let changes: JSONValue
    /// The sequence number in the chain; nil until the event is sealed.
    package var seq: Int64?
    package var hash: String?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, at, actor, address, action, owner, outcome, code, changes, seq, hash
        case requestID = "request_id"
        case keyID = "key_id"
    }

    package init(
        id: Int64, at: String, actor: Actor, address: String, requestID: String, action: String, outcome: String,
        changes: JSONValue
    ) {
        self.id = id
        self.at = at
        self.actor = actor
        self.address = address
        self.requestID = requestID
        self.action = action
        self.outcome = outcome
        self.changes = changes
    }
}

/// The result of a verification of the audit trail.
package struct VerificationJSON: Codable, Sendable {
    package struct Head: Codable, Sendable {
        package let seq: Int64
        package let hash: String

        package init(seq: Int64, hash: String) {
            self.seq = seq
            self.hash = hash
        }
    }

    package struct Finding: Codable, Sendable {
        package let kind: String
        package let seq: Int64?
        package let eventID: Int64?
        package let message: String

        enum CodingKeys: String, CodingKey {
            case kind, seq, message
            case eventID = "event_id"
        }

        package init(kind: String, seq: Int64?, eventID: Int64?, message: String) {
            self.kind = kind
            self.seq = seq
            self.eventID = eventID
            self.message = message
        }
    }

    package let intact: Bool
    /// The newest link. A copy kept elsewhere proves later that nothing up to it was changed or removed.
    package let head: Head?
    package let sealed: Int
    /// The number of events that are not sealed yet.
    package let pending: Int
    package let findingCount: Int
    /// The first findings.
    package let findings: [Finding]

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case intact, head, sealed, pending, findings
        case findingCount = "finding_count"
    }

    package init(intact: Bool, head: Head?, sealed: Int, pending: Int, findingCount: Int, findings: [Finding]) {
        self.intact = intact
        self.head = head
        self.sealed = sealed
        self.pending = pending
        self.findingCount = findingCount
        self.findings = findings
    }
}
