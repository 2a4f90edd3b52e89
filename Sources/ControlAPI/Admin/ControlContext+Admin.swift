import AuthKeys
import Hummingbird
import Logging
import NIOCore

extension ControlContext {
    /// Where the request comes from.
    var origin: CallOrigin {
        CallOrigin(address: channel.remoteAddress?.ipAddress ?? "", requestID: requestID)
    }

    /// Asks the domain. Its failures become errors of the API, and those that an operator has to know of are logged.
    /// - Parameter noun: what the question is about, for messages.
    func ask<R>(
        about noun: String = APIError.authKey, _ question: () async throws(AuthKeyError) -> R
    ) async throws(APIError) -> R {
        do throws(AuthKeyError) {
            return try await question()
        } catch {
            throw apiError(error, about: noun)
        }
    }

    /// A failure of the domain, as the caller gets it. The detail goes to the log alone.
    func apiError(_ error: AuthKeyError, about noun: String = APIError.authKey) -> APIError {
        switch error {
        case .failed(let detail): failures?.log(.error, "admin request failed", cause: detail, to: logger)
        case .unavailable(let detail): failures?.log(.warning, "database unavailable", cause: detail, to: logger)
        case .outcomeUnknown(_, let detail):
            failures?.log(.warning, "outcome of a change unknown", cause: detail, to: logger)
        default: break
        }
        return APIError(error, about: noun, requestID: requestID)
    }
}
