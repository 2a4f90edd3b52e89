import AuthKeys
import HTTPTypes
import Hummingbird

/// Lets in who may ask about keys: admin credentials with the permission `verify`. Those are known from memory, so that a question
/// costs no statement; one that is not known yet is looked for in the database, a bounded number of times a second. Who is turned
/// away is put into the trail.
struct VerifyDoor: Sendable {
    let credentials: AdminCredentials
    let refusals: RefusalLog

    /// Whoever sends a request, by `Authorization: Bearer`. All that a question says is in its body: a query is refused.
    func admit(_ request: Request, _ context: ControlContext) async throws(APIError) -> Admin {
        let candidate: Substring
        do {
            candidate = try AdminDoor.credential(of: request.head)
        } catch {
            record(error.shortName, of: nil, context)
            throw error
        }
        let admin = try await admit(anyOf: [candidate], context)
        try QueryCheck.check(request.uri, takes: [])
        return admin
    }

    /// Whoever presents one of these, which are readings of the same.
    func admit(
        anyOf candidates: [some StringProtocol & Sendable], _ context: ControlContext
    ) async throws(APIError) -> Admin {
        var (refusal, known) = (APIError.unauthorized(.unknown, message: "the admin key is not known"), Admin?.none)
        for candidate in candidates {
            guard let admin = try await identify(candidate) else { continue }
            if admin.may(.verify) { return admin }
            (refusal, known) = (.permissionMissing(.verify), admin)
        }
        record(refusal.shortName, of: known, context)
        throw refusal
    }

    /// Puts an attempt that was refused into the trail.
    /// - Parameter admin: nil for nobody known.
    func record(_ refusal: String, of admin: Admin?, _ context: ControlContext) {
        refusals.record(
            NewAuditEvent(
                actor: admin?.actor ?? .anonymous, origin: context.origin, action: .keyVerify, owner: admin?.owner,
                refusal: refusal))
    }

    /// The same from memory alone; nil for whoever cannot be let in that way.
    func known(_ head: HTTPRequest) -> Admin? {
        (try? AdminDoor.credential(of: head)).flatMap(known)
    }

    /// Whoever presents this, from memory alone.
    func known(_ candidate: some StringProtocol) -> Admin? {
        guard let admin = try? credentials.knownAdmin(presenting: candidate), admin.may(.verify) else { return nil }
        return admin
    }

    private func identify(_ candidate: some StringProtocol & Sendable) async throws(APIError) -> Admin? {
        if let known = try? credentials.knownAdmin(presenting: candidate) { return known }
        do throws(StoreError) {
            return try await credentials.admin(presenting: candidate)
        } catch {
            throw APIError.verificationUnavailable
        }
    }
}
