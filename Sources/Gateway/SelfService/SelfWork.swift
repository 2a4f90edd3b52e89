import AuthKeys

/// The preparation of a response to a request about its own key, outside the event loop.
struct SelfWork: Sendable {
    let target: SelfPath.Target
    let profile: KeyProfile
    /// Nil if there is no database to ask.
    let service: (any SelfService)?
    let request: SelfRotationRequest

    /// Returns the body of the response, or the reason for a refusal.
    func result() async -> Result<String, SelfServiceFault> {
        do throws(SelfServiceFault) {
            switch target {
            case .key: return .success(SelfJSON.key(profile, await service?.record(of: request.key)))
            case .rotation:
                guard let service else { return .failure(.unavailable) }
                return .success(SelfJSON.rotation(try await service.rotate(request), of: request.key))
            }
        } catch {
            return .failure(error)
        }
    }
}
