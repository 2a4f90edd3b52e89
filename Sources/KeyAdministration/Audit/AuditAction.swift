/// An audited action, done or attempted. The raw value is its name in the API.
public enum AuditAction: String, Sendable, CaseIterable {
    /// Reading keys: only refused attempts are in the trail.
    case keyRead = "key.read"
    /// Verifying keys: only refused attempts are in the trail.
    case keyVerify = "key.verify"
    case keyCreate = "key.create"
    case keyUpdate = "key.update"
    case keyRotate = "key.rotate"
    case keyEndPreviousSecret = "key.end_previous_secret"
    case keyDeactivate = "key.deactivate"
    case keyDelete = "key.delete"
    /// Many keys in one import; the event has their number.
    case keyImport = "key.import"
    /// A change of what is left of a key's credits, apart from an update of the key.
    case keyChangeCredits = "key.change_credits"
    case keyResetLimit = "key.reset_limit"
    /// Reading plans and the limits of owners: only refused attempts are in the trail.
    case limitsRead = "limits.read"
    case planSet = "plan.set"
    case planDelete = "plan.delete"
    case ownerLimitsSet = "owner_limits.set"
    case ownerLimitsDelete = "owner_limits.delete"
    case adminKeyRead = "admin_key.read"
    case adminKeyCreate = "admin_key.create"
    case adminKeyUpdate = "admin_key.update"
    case adminKeyDeactivate = "admin_key.deactivate"
    case auditRead = "audit.read"
    case auditExport = "audit.export"
    /// Reading requests and their statistics: only refused attempts are in the trail.
    case requestRead = "request.read"
    case requestExport = "request.export"
    /// The trail continues in another database cluster than it began in, because it was restored.
    case auditRestored = "audit.restored"
    /// The number of refused attempts by callers without a valid credential that exceeded the budget and are not in the
    /// trail.
    case auditOmitted = "audit.omitted"
    /// Reading the list of instances: only refused attempts are in the trail.
    case instancesRead = "instances.read"
    /// An order to all instances to load all keys again, optionally accepting the database where it reactivates a key.
    case instancesResync = "instances.resync"

    /// True if the action only reads.
    public var isRead: Bool {
        switch self {
        case .keyRead, .keyVerify, .adminKeyRead, .auditRead, .auditExport, .instancesRead, .requestRead,
            .requestExport, .limitsRead:
            true
        case .keyCreate, .keyUpdate, .keyRotate, .keyEndPreviousSecret, .keyDeactivate, .keyDelete, .keyImport,
            .keyChangeCredits, .keyResetLimit, .planSet, .planDelete, .ownerLimitsSet, .ownerLimitsDelete,
            .adminKeyCreate, .adminKeyUpdate, .adminKeyDeactivate, .auditRestored, .auditOmitted,
            .instancesResync:
            false
        }
    }
}
