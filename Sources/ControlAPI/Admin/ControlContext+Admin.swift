import AuthKeys
import Hummingbird
import Logging
import NIOCore

extension ControlContext {
    /// The network origin of the request.
    var origin: CallOrigin {
        CallOrigin(address: channel.remoteAddress?.ipAddress ?? "", requestID: requestID)
    }

    /// Calls the domain. Turns its failures into errors of the API, and logs those that an operator must see.
    /// - Parameter noun: the subject of the call, for messages.
    func ask<R>(
        about noun: String = APIError.authKey, _ operation: () async throws(AuthKeyError) -> R
    ) async throws(APIError) -> R {
        do throws(AuthKeyError) {
            return try await operation()
        } catch {
            throw apiError(error, about: noun)
        }
    }

    /// Returns a failure of the domain as the caller's error. Its detail is only logged.
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
