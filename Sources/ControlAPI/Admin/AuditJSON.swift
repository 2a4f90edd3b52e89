import AuthKeys
import ControlBodies
import KeyAdministration

extension AuditEventJSON {
    init(_ event: AuditEvent) {
        let known = AuditActor(text: event.actor, name: event.actorName)
        let actor =
            if let known, let id = known.keyID {
                Actor(kind: known.kind, id: id.description, name: known.name)
            } else {
                Actor(kind: event.actor, id: nil, name: event.actorName)
            }
        self.init(
            id: event.id, at: event.at.description, actor: actor, address: event.address, requestID: event.requestID,
            action: event.action, outcome: event.outcome, changes: JSONBody.value(event.changes))
        keyID = event.subject?.description
        owner = event.owner
        code = event.code
        seq = event.seal?.sequence
        hash = event.seal.map { Hex.text($0.hash.bytes) }
    }
}

extension VerificationJSON {
    init(_ result: ChainVerifier) {
        self.init(
            intact: result.isIntact,
            head: result.head.map { Head(seq: $0.sequence, hash: Hex.text($0.hash.bytes)) },
            sealed: result.sealedCount, pending: result.pendingCount, findingCount: result.findingCount,
            findings: result.findings.map {
                Finding(kind: $0.kind.rawValue, seq: $0.sequence, eventID: $0.event, message: $0.message)
            })
    }
}
