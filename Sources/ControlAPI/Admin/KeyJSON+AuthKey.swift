import AuthKeys
import ControlBodies

extension KeyJSON {
    init(_ key: AuthKey, now: Timestamp, secret: Token? = nil, rotation: KeyID? = nil) {
        self.init(
            id: key.id.description, name: key.name, redactedValue: key.redactedValue, enabled: key.enabled,
            createdAt: key.createdAt.description, updatedAt: key.updatedAt.description,
            active: key.isActive(at: now), version: key.version)
        func list(_ entries: [String]) -> [String]? { entries.isEmpty ? nil : entries }
        description = key.description.isEmpty ? nil : key.description
        owner = key.owner
        scopes = list(key.scopes)
        labels = key.labels.isEmpty ? nil : key.labels
        metadata = key.metadata.isEmpty ? nil : key.metadata
        expiresAt = key.expiresAt?.description
        notBefore = key.notBefore?.description
        allowedMethods = list(key.allowedMethods)
        allowedPaths = list(key.allowedPaths)
        allowedCIDRs = list(key.allowedCIDRs)
        limits = key.limits.isEmpty ? nil : key.limits.map(\.json)
        plan = key.plan
        credits = key.credits?.json
        reportOnly = list(key.reportOnly)
        selfRotation = key.selfRotation ? true : nil
        deactivatedAt = key.deactivatedAt?.description
        secretLastUsedAt = key.secretLastUsedAt?.description
        lastUsedAt = key.usage.lastUsedAt?.description
        lastAddress = key.usage.lastAddress
        lastAgent = key.usage.lastAgent
        requests = key.usage.requests == 0 ? nil : key.usage.requests
        previousSecret = key.previous.map {
            Previous(
                redactedValue: $0.redactedValue, expiresAt: $0.expiresAt.description,
                lastUsedAt: $0.lastUsedAt?.description)
        }
        value = secret?.value
        rotationID = rotation?.description
    }
}
