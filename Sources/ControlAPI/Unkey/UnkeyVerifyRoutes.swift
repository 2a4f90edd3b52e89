import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// `POST /v2/keys.verifyKey` and `POST /v2/keys.whoami`: verification in Unkey's API. The decision is the same as at
/// every other entry point, and requires the permission of `/v1/verify`.
struct UnkeyVerifyRoutes: Sendable {
    static let path = "/v2/keys.verifyKey"
    static let whoamiPath = "/v2/keys.whoami"

    let verifier: RequestVerifier
    let service: AuthKeyService
    let authenticator: VerifyAuthenticator

    func add(to router: Router<ControlContext>) {
        router.post(RouterPath(Self.path)) { request, context in
            let admin = try await authenticator.admit(request, context)
            let body = try await authenticator.read(UnkeyVerifyBody.self, of: request)
            let outcome = await verifier.decide(body.request, owners: admin.owners)
            verifier.count(outcome, of: body.request, id: context.identifier, began: context.began)
            if case .verdict(.refused(.limitUnknown, _), _) = outcome { throw APIError.limitUnknown("ratelimits") }
            guard let verdict = UnkeyVerdictJSON(outcome, of: body.request) else {
                throw APIError.verificationUnavailable
            }
            return try UnkeyAnswer.response(verdict, context)
        }
        router.post(RouterPath(Self.whoamiPath)) { request, context in
            let admin = try await authenticator.admit(request, context)
            let body = try await authenticator.read(UnkeyWhoamiBody.self, of: request)
            return try UnkeyAnswer.response(try await whoami(body.key, context, for: admin), context)
        }
    }

    private func whoami(
        _ token: String, _ context: ControlContext, for admin: Admin
    ) async throws(APIError) -> UnkeyKeyJSON {
        let id: KeyID
        switch await verifier.verifier.identify(token, owners: admin.owners) {
        case .key(let profile): id = profile.principal.keyID
        case .noKey: throw APIError(.notFound, .notFound, "no auth key has this secret", code: "key_not_found")
        case .unavailable: throw .verificationUnavailable
        }
        return UnkeyKeyJSON(try await context.ask(await service.keptKey(id.description, for: admin)))
    }
}
