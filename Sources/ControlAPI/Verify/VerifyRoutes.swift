import AuthKeys
import HTTPTypes
import Hummingbird
import NIOCore

/// `POST /v1/verify` and `POST /v1/verify/batch`: a service asks whether a key is good for what its caller wants. A key is in the
/// body, never in a URL, and nothing here asks the database, unless the key is a new one.
struct VerifyRoutes: Sendable {
    static let path = "/v1/verify"

    let verifier: RequestVerifier
    let door: VerifyDoor

    func add(to router: Router<ControlContext>) {
        router.post(RouterPath(Self.path)) { request, _ in
            let admin = try await door.admit(request)
            let body = try JSONBody.decode(VerifyBody.self, from: try await request.body.collect(upTo: .max))
            let verdict = await verdict(on: body, for: admin)
            guard verdict.code != .unavailable else { throw APIError.verificationUnavailable }
            return try JSONBody.response(verdict)
        }
        router.post(RouterPath(Self.path + "/batch")) { request, _ in
            let admin = try await door.admit(request)
            let body = try JSONBody.decode(VerifyBatchBody.self, from: try await request.body.collect(upTo: .max))
            var results: [VerifyJSON] = []
            for question in body.requests { results.append(await verdict(on: question, for: admin)) }
            return try JSONBody.response(["results": results])
        }
    }

    private func verdict(on question: VerifyBody, for admin: Admin) async -> VerifyJSON {
        let (decision, needed) = await verifier.decide(about: question.key, for: question.request, asker: admin)
        return VerifyJSON(decision, needed: needed)
    }
}
