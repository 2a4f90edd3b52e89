/// The code of an error condition (PostgreSQL manual, appendix A, "PostgreSQL Error Codes"). The constants are the
/// conditions that this program distinguishes. Their comments have the names of the appendix.
public struct SQLState: RawRepresentable, Hashable, Sendable {
    /// Five digits and upper-case letters.
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }

    /// A class of conditions, by the first two characters of their codes.
    enum Class: Substring {
        case connectionException = "08"
        case dataException = "22"
        case invalidAuthorizationSpecification = "28"
        case invalidCatalogName = "3D"
        case transactionRollback = "40"
        case syntaxErrorOrAccessRuleViolation = "42"
        case insufficientResources = "53"
        case objectNotInPrerequisiteState = "55"
        case operatorIntervention = "57"
        case systemError = "58"
    }

    /// The class; nil for one that this program does not distinguish.
    var conditionClass: Class? { Class(rawValue: rawValue.prefix(2)) }
}

extension SQLState: ExpressibleByStringLiteral, CustomStringConvertible {
    public init(stringLiteral value: String) { self.init(rawValue: value) }

    public var description: String { rawValue }
}

extension SQLState {
    /// protocol_violation
    public static let protocolViolation: SQLState = "08P01"
    /// feature_not_supported
    public static let featureNotSupported: SQLState = "0A000"
    /// invalid_parameter_value
    static let invalidParameterValue: SQLState = "22023"
    /// not_null_violation
    public static let notNullViolation: SQLState = "23502"
    /// unique_violation
    public static let uniqueViolation: SQLState = "23505"
    /// check_violation
    public static let checkViolation: SQLState = "23514"
    /// read_only_sql_transaction
    static let readOnlySQLTransaction: SQLState = "25006"
    /// in_failed_sql_transaction
    static let inFailedSQLTransaction: SQLState = "25P02"
    /// idle_in_transaction_session_timeout
    static let idleInTransactionSessionTimeout: SQLState = "25P03"
    /// transaction_timeout
    static let transactionTimeout: SQLState = "25P04"
    /// invalid_sql_statement_name
    static let invalidSQLStatementName: SQLState = "26000"
    /// invalid_authorization_specification
    static let invalidAuthorizationSpecification: SQLState = "28000"
    /// invalid_password
    static let invalidPassword: SQLState = "28P01"
    /// invalid_catalog_name
    static let invalidCatalogName: SQLState = "3D000"
    /// invalid_schema_name
    public static let invalidSchemaName: SQLState = "3F000"
    /// serialization_failure
    static let serializationFailure: SQLState = "40001"
    /// deadlock_detected
    public static let deadlockDetected: SQLState = "40P01"
    /// insufficient_privilege
    public static let insufficientPrivilege: SQLState = "42501"
    /// syntax_error
    static let syntaxError: SQLState = "42601"
    /// undefined_column
    public static let undefinedColumn: SQLState = "42703"
    /// undefined_object
    public static let undefinedObject: SQLState = "42704"
    /// undefined_function
    public static let undefinedFunction: SQLState = "42883"
    /// undefined_table
    public static let undefinedTable: SQLState = "42P01"
    /// too_many_connections
    static let tooManyConnections: SQLState = "53300"
    /// object_not_in_prerequisite_state
    static let objectNotInPrerequisiteState: SQLState = "55000"
    /// lock_not_available
    public static let lockNotAvailable: SQLState = "55P03"
    /// query_canceled
    static let queryCanceled: SQLState = "57014"
    /// admin_shutdown
    static let adminShutdown: SQLState = "57P01"
    /// crash_shutdown
    static let crashShutdown: SQLState = "57P02"
    /// cannot_connect_now
    static let cannotConnectNow: SQLState = "57P03"
}
