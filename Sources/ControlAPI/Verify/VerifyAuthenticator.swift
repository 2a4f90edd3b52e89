import AuthKeys
import HTTPTypes
import Hummingbird

/// Lets in who may ask about keys: admin credentials with the permission `verify`. Those are known from memory, so that a question
/// costs no statement; one that is not known yet is looked for in the database, a bounded number of times a second. Who is turned
/// away is put into the trail.
struct VerifyAuthenticator: Sendable {
    let credentials: AdminCredentials
    let refusals: RefusalLog
    let computing: ComputeExecutor

    /// Whoever sends a request, by `Authorization: Bearer`. All that a question says is in its body: a query is refused.
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

    /// Reads the body of a request that was admitted.
    func read<Body: Decodable & Sendable>(_ type: Body.Type, of request: Request) async throws -> Body {
        var request = request
        try await request.readBody()
        let bytes = try await request.body.collect(upTo: .max)
        return try await computing.run { try JSONBody.decode(type, from: bytes) }
    }

    /// Whoever presents one of these, which are readings of the same.
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
        let isAuthenticated = refusal.error.status == .forbidden
        record(refusal.error.shortName, of: refusal.admin, isAuthenticated: isAuthenticated, context)
        throw refusal.error
    }

    /// Puts an attempt that was refused into the trail.
    /// - Parameters:
    ///   - admin: nil where the caller is not known.
    ///   - isAuthenticated: whether the credential is valid, and does not suffice.
    func record(_ refusal: String, of admin: Admin?, isAuthenticated: Bool = false, _ context: ControlContext) {
        context.checkedCredential(isValid: isAuthenticated)
        let event = NewAuditEvent(
            actor: admin?.actor ?? .anonymous, origin: context.origin, action: .keyVerify, owner: admin?.owner,
            refusal: refusal)
        refusals.record(event, isAuthenticated: isAuthenticated)
    }

    /// The same from memory alone; nil for whoever cannot be let in that way.
    func known(_ head: HTTPRequest) -> Admin? {
        (try? AdminAuthenticator.credential(of: head)).flatMap(known)
    }

    /// Whoever presents this, from memory alone.
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
