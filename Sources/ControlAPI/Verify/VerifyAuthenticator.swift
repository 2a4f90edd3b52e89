import AuthKeys
import HTTPTypes
import Hummingbird
import KeyAdministration

/// Authenticates callers of the verification routes: admin credentials with the permission `verify`. Known credentials
/// are checked in memory, without SQL. An unknown one is looked up in the database, at a bounded rate. Refused attempts
/// are recorded in the audit trail.
struct VerifyAuthenticator: Sendable {
    let credentials: AdminCredentials
    let refusals: RefusalLog
    let attempts: FailedAttempts?
    let computing: ComputeExecutor

    /// Authenticates the sender of a request by `Authorization: Bearer`. All input is in the body, so a query is
    /// refused.
    func admit(_ request: Request, _ context: ControlContext) async throws(APIError) -> Admin {
        let candidate: Substring
        do throws(CredentialRefusal) {
            candidate = try AdminAuthenticator.credential(of: request.head)
        } catch {
            record(error.error.shortName, of: nil, context)
            throw error.error
        }
        let admin = try await admit(anyOf: [candidate], context)
        try QueryParameters(request.uri).check(takes: [])
        return admin
    }

    /// Reads the body of an authenticated request.
    func read<Body: Decodable & Sendable>(_ type: Body.Type, of request: Request) async throws -> Body {
        var request = request
        try await request.readAwaitedBody()
        let bytes = try await request.body.collect(upTo: .max)
        return try await computing.run { try JSONBody.decode(type, from: bytes) }
    }

    /// Authenticates a caller by any of several readings of its credential.
    func admit(
        anyOf candidates: [some StringProtocol & Sendable], _ context: ControlContext
    ) async throws(APIError) -> Admin {
        var refusal = CredentialRefusal.unknown
        for candidate in candidates {
            switch try await authenticate(candidate) {
            case .valid(let admin) where admin.may(.verify):
                context.checkedCredential(isValid: true)
                return admin
            case .valid(let admin): refusal = CredentialRefusal(error: .permissionMissing(.verify), admin: admin)
            case .refused(let admin, let reason): refusal = .ended(admin, reason)
            case .unknown: break
            }
        }
        refusal = refusal.counted(in: attempts, from: context)
        let isAuthenticated = refusal.error.status == .forbidden
        record(refusal.error.shortName, of: refusal.admin, isAuthenticated: isAuthenticated, context)
        throw refusal.error
    }

    /// Records a refused attempt in the audit trail.
    /// - Parameters:
    ///   - admin: the caller; nil if it is unknown.
    ///   - isAuthenticated: true if the credential is valid but lacks the permission.
    func record(_ refusal: String, of admin: Admin?, isAuthenticated: Bool = false, _ context: ControlContext) {
        context.checkedCredential(isValid: isAuthenticated)
        let event = NewAuditEvent(
            actor: admin?.actor ?? .anonymous, origin: context.origin, action: .keyVerify, owner: admin?.owner,
            refusal: refusal)
        refusals.record(event, isAuthenticated: isAuthenticated)
    }

    /// Authenticates the sender of a request from memory alone; nil if that is not possible.
    func known(_ head: HTTPRequest) -> Admin? {
        (try? AdminAuthenticator.credential(of: head)).flatMap(known)
    }

    /// Authenticates a credential from memory alone; nil if that is not possible.
    func known(_ candidate: some StringProtocol) -> Admin? {
        let authentication = try? credentials.authenticateFromMemory(candidate, for: .verify)
        guard let admin = try? authentication?.admin(), admin.may(.verify) else { return nil }
        return admin
    }

    private func authenticate(
        _ candidate: some StringProtocol & Sendable
    ) async throws(APIError) -> AdminAuthentication {
        let known = try? credentials.authenticateFromMemory(candidate, for: .verify)
        if let known, case .valid = known { return known }
        do throws(StoreError) {
            return try await credentials.authenticate(candidate, for: [.verify])
        } catch {
            throw APIError.verificationUnavailable
        }
    }
}
