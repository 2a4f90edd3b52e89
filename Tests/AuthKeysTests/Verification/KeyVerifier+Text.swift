import AuthKeys
import HTTPCredentials

extension KeyVerifier {
    /// Verifies a token for a request without attributes, with a lookup if necessary.
    func verify(_ token: String, time: TimeSource = .system) async -> Verdict<KeyProfile> {
        let requests = RequestVerifier(verifier: self, time: time)
        guard case .verdict(let verdict, _) = await requests.decide(.init(credential: .token(token))) else {
            return .unavailable
        }
        return verdict
    }
}
