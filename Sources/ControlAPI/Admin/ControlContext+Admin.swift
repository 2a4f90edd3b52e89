import AuthKeys
import Hummingbird
import KeyAdministration
import Logging
import NIOCore

extension ControlContext {
    /// The network origin of the request.
    var origin: CallOrigin {
        CallOrigin(address: channel.remoteAddress?.ipAddress ?? "", requestID: requestID)
    }

    /// Calls the domain where `AdminAuthenticator` does not convert errors: in a streamed body, or on another route.
    func ask<R>(_ call: @autoclosure () async throws(AuthKeyError) -> R) async throws(APIError) -> R {
        do { return try await call() } catch { throw apiError(error) }
    }

    /// Returns the error that the caller of a handler gets; nil for an unexpected error. Logs failures of the store.
    /// - Parameter noun: the subject of the request, for messages.
    func handlerError(_ error: any Error, about noun: String) -> APIError? {
        switch error {
        case let error as APIError: error
        case let error as AuthKeyError: apiError(error, about: noun)
        case let error as StoreError: apiError(.store(error), about: noun)
        default: nil
        }
    }

    /// Returns the caller's error for an error of the domain. Logs a failure of the store.
    func apiError(_ error: AuthKeyError, about noun: String = APIError.authKey) -> APIError {
        if case .store(let failure, _) = error { log(failure) }
        return APIError(error, about: noun, requestID: requestID)
    }

    /// Logs what an operator must see. The detail appears only here.
    private func log(_ failure: StoreError) {
        switch failure.kind {
        case .failed: failures?.log(.error, "admin request failed", cause: failure.detail, to: logger)
        case .unavailable: failures?.log(.warning, "database unavailable", cause: failure.detail, to: logger)
        case .outcomeUnknown:
            failures?.log(.warning, "outcome of a change unknown", cause: failure.detail, to: logger)
        case .conflict: break
        }
    }
}
