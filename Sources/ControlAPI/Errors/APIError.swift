import AuthKeys
import ControlBodies
import HTTPCredentials
public import HTTPTypes
public import Hummingbird
import KeyAdministration
import NIOCore

/// An error of the API: a status, and `{"error":{"type","message","param","code"}}`.
public struct APIError: HTTPResponseError, Equatable {
    /// The types of errors, one for each family of statuses.
    public enum Kind: String, Sendable {
        case invalidRequest = "invalid_request_error"
        case authentication = "authentication_error"
        case permission = "permission_error"
        case notFound = "not_found_error"
        case conflict = "conflict_error"
        case rateLimit = "rate_limit_error"
        case unavailable = "unavailable_error"
        case `internal` = "internal_error"
    }

    /// The code, or the type if there is none. The audit trail records it.
    var shortName: String { code ?? kind.rawValue }

    public let status: HTTPResponse.Status
    public let kind: Kind
    public let message: String
    /// The name of the member or header at fault.
    public let param: String?
    public let code: String?
    /// The header fields in addition to those of the body.
    public var headers: HTTPFields

    public init(
        _ status: HTTPResponse.Status, _ kind: Kind, _ message: String, param: String? = nil, code: String? = nil,
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code
        self.headers = headers
    }

    public func response(from request: Request, context: some RequestContext) throws -> Response {
        let body = ErrorJSON(type: kind.rawValue, message: message, param: param, code: code)
        var response = try JSONBody.response(body, status: status)
        response.headers.append(contentsOf: headers)
        return response
    }
}

extension APIError {
    static func validation(_ message: String, param: String?) -> APIError {
        APIError(.badRequest, .invalidRequest, message, param: param, code: "validation_failed")
    }

    /// The error for an empty value where null is expected.
    static func empty(_ param: String) -> APIError {
        .validation(FieldRules.empty(param), param: param)
    }

    static func invalidJSON(_ reason: String, param: String? = nil) -> APIError {
        APIError(
            .badRequest, .invalidRequest, "invalid request body: \(reason)", param: param,
            code: param == nil ? "invalid_json" : "validation_failed")
    }

    static func unauthorized(_ refusal: Refusal, message: String) -> APIError {
        var challenge = "Bearer realm=\"keyward-admin\""
        if let error = refusal.bearerError { challenge += ", error=\"\(error)\"" }
        return APIError(
            .unauthorized, .authentication, message, code: refusal.code, headers: [.wwwAuthenticate: challenge])
    }

    /// The caller's network has sent too many admin keys that do not exist.
    static func tooManyFailedAttempts(retryAfter seconds: Int) -> APIError {
        APIError(
            .tooManyRequests, .rateLimit, "too many invalid admin keys came from this network: try again later",
            code: ErrorText.tooManyFailedAttempts.code, headers: [.retryAfter: String(seconds)])
    }

    /// The error while keys cannot be verified.
    static let verificationUnavailable = APIError(
        .serviceUnavailable, .unavailable, ErrorText.unavailable.message, code: ErrorText.unavailable.code,
        headers: [.retryAfter: "1"])

    /// The request names a limit that the key lacks.
    /// - Parameter param: the member that names limits.
    static func limitUnknown(_ param: String) -> APIError {
        .validation("\(param) names a limit that the key lacks", param: param)
    }

    static let authKey = "auth key"

    static func permissionMissing(_ permission: AdminPermission) -> APIError {
        APIError(
            .forbidden, .permission, "the admin key lacks the permission \(permission.rawValue)",
            code: "permission_missing")
    }

    static let otherOwner = APIError(
        .forbidden, .permission, "the admin key is limited to another owner and the owners below it", param: "owner",
        code: "owner_not_allowed")

    /// The request concerns the keys of all owners, and the admin key is limited to an owner.
    static let allOwners = APIError(
        .forbidden, .permission, "the request needs an admin key that is not limited to an owner",
        code: "owner_not_allowed")

    /// Converts a failure of the domain into the caller's error.
    /// - Parameters:
    ///   - noun: the subject of the request.
    ///   - requestID: the id of the request, under which the audit trail records its change.
    init(_ error: AuthKeyError, about noun: String = APIError.authKey, requestID: String) {
        switch error {
        case .invalid(let param, let message):
            self = .validation(message, param: param)
        case .notFound(let id):
            let code = noun.hasSuffix("key") ? "key_not_found" : "\(noun)_not_found"
            self.init(.notFound, .notFound, "\(noun) not found: \(id.shown)", code: code)
        case .conflict(.idempotencyReplayed(let id)):
            self.init(
                .conflict, .conflict,
                "this Idempotency-Key has already created auth key \(id), and its secret is not stored; "
                    + "if it is lost, deactivate that key and retry with a new Idempotency-Key",
                param: "Idempotency-Key", code: "idempotency_replayed",
                headers: [.location: "\(AuthKeyRoutes.path)/\(id)"])
        case .conflict(.idempotencyKeyReused):
            self.init(
                .conflict, .conflict, "this Idempotency-Key was used with a different request",
                param: "Idempotency-Key", code: "idempotency_key_reused")
        case .conflict(.rotationReplayed(let id)):
            self.init(
                .conflict, .conflict,
                "this Idempotency-Key has already carried out rotation \(id), and its secret is not stored; "
                    + "if it is lost, rotate again with a new Idempotency-Key",
                param: "Idempotency-Key", code: "idempotency_replayed")
        case .limitNotFound(let name):
            self.init(
                .notFound, .notFound, "neither the \(noun) nor its plan has a limit \(name.shown)",
                code: "limit_not_found")
        case .conflict(.planInUse):
            self.init(
                .conflict, .conflict, "active auth keys name this plan: give them another plan first",
                code: "plan_in_use")
        case .conflict(.withoutCredits):
            self.init(
                .conflict, .conflict, "the auth key spends no credits: set its member credits first",
                code: "credits_missing")
        case .conflict(.notDeactivated):
            self.init(
                .conflict, .conflict, "only a deactivated auth key can be deleted: deactivate it first",
                code: "key_not_deactivated")
        case .conflict(.importRunning):
            self.init(
                .conflict, .conflict, "another import is in progress: retry after it ends", code: "import_running")
        case .conflict(.ended):
            self.init(
                .conflict, .conflict, "the auth key is deactivated or expired: a new secret would grant no access",
                code: "key_ended")
        case .outdated:
            self.init(
                .preconditionFailed, .conflict, "the \(noun) was changed meanwhile: read it again", param: "If-Match",
                code: "version_mismatch")
        case .conflict(.lastAdminCredential):
            self.init(
                .conflict, .conflict,
                "this admin key is the last one that can administer admin keys, or the last without an expiry: "
                    + "create another with the permission admin first",
                code: "last_admin_credential")
        case .otherOwner: self = .otherOwner
        case .allOwners: self = .allOwners
        case .outlivesAdmin:
            self.init(
                .forbidden, .permission,
                "expires_at must be no later than that of the calling admin key, which cannot change its own",
                param: "expires_at", code: "expiry_not_allowed")
        case .permissionMissing(let permission): self = .permissionMissing(permission)
        case .tooMany(let operations, let share):
            let message =
                if let share {
                    """
                    this admin key has its share of the \(operations.rawValue) of requests on this instance (\(share)): end \
                    one, or retry later
                    """
                } else {
                    "too many \(operations.rawValue) of requests are in progress on this instance: retry later"
                }
            self.init(
                .tooManyRequests, .rateLimit, message,
                code: "too_many_\(operations.rawValue)", headers: [.retryAfter: "1"])
        case .store(let error, let repetition):
            self.init(error.kind, repetition, about: noun, requestID: requestID)
        }
    }

    static let `internal` = APIError(.internalServerError, .internal, "an internal error occurred")
}
