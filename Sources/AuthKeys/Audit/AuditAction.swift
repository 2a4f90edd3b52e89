/// What was done, or attempted. The raw value is its name in the API.
public enum AuditAction: String, Sendable, CaseIterable {
    /// Looking at keys: only refused attempts are in the trail.
    case keyRead = "key.read"
    /// Asking about keys: only refused attempts are in the trail.
    case keyVerify = "key.verify"
    case keyCreate = "key.create"
    case keyUpdate = "key.update"
    case keyRotate = "key.rotate"
    case keyEndPreviousSecret = "key.end_previous_secret"
    case keyDeactivate = "key.deactivate"
    case keyDelete = "key.delete"
    /// Many at once; the event says how many.
    case keyImport = "key.import"
    case adminKeyRead = "admin_key.read"
    case adminKeyCreate = "admin_key.create"
    case adminKeyUpdate = "admin_key.update"
    case adminKeyDeactivate = "admin_key.deactivate"
    case auditRead = "audit.read"
    case auditExport = "audit.export"
    /// The trail goes on in another database cluster than it began in: it was restored.
    case auditRestored = "audit.restored"
    /// Refused attempts of callers without a valid credential are not in the trail, because they were too many: the event says how
    /// many.
    case auditOmitted = "audit.omitted"
    /// All instances were told to load all keys again, and perhaps to believe the database where it revives a key.
    case instancesResync = "instances.resync"

    /// Whether it only looks at what there is.
    public var isRead: Bool {
        switch self {
        case .keyRead, .keyVerify, .adminKeyRead, .auditRead, .auditExport: true
        case .keyCreate, .keyUpdate, .keyRotate, .keyEndPreviousSecret, .keyDeactivate, .keyDelete, .keyImport,
            .adminKeyCreate, .adminKeyUpdate, .adminKeyDeactivate, .auditRestored, .auditOmitted,
            .instancesResync:
            false
        }
    }
}
