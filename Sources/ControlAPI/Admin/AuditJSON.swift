import AuthKeys
import KeyAdministration

/// An audit event in the API's JSON. Empty members are omitted.
struct AuditEventJSON: Encodable {
    struct Actor: Encodable {
        let kind: String
        let id: String?
        let name: String?
    }

    let id: Int64
    let at: String
    let actor: Actor
    let address: String
    let requestID: String
    let action: String
    let keyID: String?
    let owner: String?
    let outcome: String
    let code: String?
    let changes: JSONValue
    /// The sequence number in the chain; nil until the event is sealed.
    let seq: Int64?
    let hash: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, at, actor, address, action, owner, outcome, code, changes, seq, hash
        case requestID = "request_id"
        case keyID = "key_id"
    }

    init(_ event: AuditEvent) {
        id = event.id
        at = event.at.description
        let known = AuditActor(text: event.actor, name: event.actorName)
        if case .adminKey(let id, let name) = known {
            actor = Actor(kind: AuditActor.adminKey(id, name: name).kind, id: id.description, name: name)
        } else {
            actor = Actor(kind: event.actor, id: nil, name: event.actorName)
        }
        address = event.address
        requestID = event.requestID
        action = event.action
        keyID = event.subject?.description
        owner = event.owner
        outcome = event.outcome
        code = event.code
        changes = JSONBody.value(event.changes)
        seq = event.seal?.sequence
        hash = event.seal.map { Hex.text($0.hash.bytes) }
    }
}

/// The result of a verification of the audit trail.
struct VerificationJSON: Encodable {
    struct Head: Encodable {
        let seq: Int64
        let hash: String
    }

    struct Finding: Encodable {
        let kind: String
        let seq: Int64?
        let eventID: Int64?
        let message: String

        enum CodingKeys: String, CodingKey {
            case kind, seq, message
            case eventID = "event_id"
        }
    }

    let intact: Bool
    /// The newest link. A copy kept elsewhere proves later that nothing up to it was changed or removed.
    let head: Head?
    let sealed: Int
    /// The number of events that are not sealed yet.
    let pending: Int
    let findingCount: Int
    /// The first findings.
    let findings: [Finding]

    enum CodingKeys: String, CodingKey, CaseIterable {
        case intact, head, sealed, pending, findings
        case findingCount = "finding_count"
    }

    init(_ result: ChainVerifier) {
        intact = result.isIntact
        head = result.head.map { Head(seq: $0.sequence, hash: Hex.text($0.hash.bytes)) }
        sealed = result.sealedCount
        pending = result.pendingCount
        findingCount = result.findingCount
        findings = result.findings.map {
            Finding(kind: $0.kind.rawValue, seq: $0.sequence, eventID: $0.event, message: $0.message)
        }
    }
}
