import AuthKeys
import Hummingbird
import Logging
import NIOCore

extension ControlContext {
    /// Where the request comes from.
    var origin: CallOrigin {
        CallOrigin(address: channel.remoteAddress?.ipAddress ?? "", requestID: requestID)
    }

    /// Asks the domain. A failure of ours is logged, and all of them become errors of the API.
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

    /// What a failure of the domain is to a caller; what is for our eyes only goes to the log.
    func apiError(_ error: AuthKeyError, about noun: String = APIError.authKey) -> APIError {
        if case .failed(let detail) = error {
            logger.error("admin request failed", metadata: ["error": "\(detail)"])
        }
        return APIError(error, about: noun)
    }
}
