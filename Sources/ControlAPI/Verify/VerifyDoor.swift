import AuthKeys
import HTTPTypes
import Hummingbird

/// Lets in who may ask about keys: admin credentials with the permission `verify`. Those are known from memory, so that a question
/// costs no statement; one that is not known yet is looked for in the database, a bounded number of times a second.
struct VerifyDoor: Sendable {
    let credentials: AdminCredentials

    /// Whoever presents this.
    func admit(_ candidate: some StringProtocol & Sendable) async throws(APIError) -> Admin {
        guard let admin = try await identify(candidate) else {
            throw APIError.unauthorized(.unknown, message: "the admin key is not known")
        }
        guard admin.may(.verify) else { throw APIError.permissionMissing(.verify) }
        return admin
    }

    /// Whoever sends a request, by `Authorization: Bearer`.
    func admit(_ head: HTTPRequest) async throws(APIError) -> Admin {
        try await admit(try AdminDoor.credential(of: head))
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
