import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// `POST /v1/verify` and `POST /v1/verify/batch`: a service asks whether a key allows its caller's request. Keys are in
/// the body, never in a URL. The database is queried only about keys that are not in memory.
struct VerifyRoutes: DirectRoute {
    static let path = "/v1/verify"

    let verifier: RequestVerifier
    let authenticator: VerifyAuthenticator

    func add(to router: Router<ControlContext>) {
        router.post(RouterPath(Self.path)) { request, context in
            let admin = try await authenticator.admit(request, context)
            let question = try await authenticator.read(VerifyBody.self, of: request)
            let verdict = await verdict(on: question, for: admin, context)
            switch verdict.code {
            case .unavailable: throw APIError.verificationUnavailable
            case .limitUnknown: throw APIError.limitUnknown("limits")
            default: break
            }
            return DirectAnswer(json: verdict.text).response
        }
        router.post(RouterPath(Self.path + "/batch")) { request, context in
            let admin = try await authenticator.admit(request, context)
            let batch = try await authenticator.read(VerifyBatchBody.self, of: request)
            var results: [String] = []
            for (number, question) in batch.requests.enumerated() {
                results.append(await verdict(on: question, for: admin, context, number: number).text)
            }
            return DirectAnswer(json: "{\"results\":[\(results.joined(separator: ","))]}").response
        }
    }

    private func verdict(
        on question: VerifyBody, for admin: Admin, _ context: ControlContext, number: Int = 0
    ) async -> VerifyJSON {
        let outcome = await verifier.decide(question.request, owners: admin.owners)
        // Time and id identify a line, and the questions of a batch share their id.
        let began = context.began.advanced(by: .microseconds(number))
        verifier.count(outcome, of: question.request, id: context.identifier, began: began)
        return VerifyJSON(outcome)
    }

    // MARK: - Responses on the event loop

    var pattern: String { Self.path }
    var isForAdmins: Bool { true }

    func answerNow(_ head: HTTPRequest, body: ByteBuffer, as request: DirectRequest) -> DirectAnswer? {
        guard let admin = authenticator.known(head), let question = VerifyBody(plain: body),
            verifier.verifier.isServing,
            let outcome = verifier.decideNow(question.request, owners: admin.owners)
        else { return nil }
        verifier.count(outcome, of: question.request, id: request.id, began: request.began)
        return DirectAnswer(json: VerifyJSON(outcome).text)
    }
}
