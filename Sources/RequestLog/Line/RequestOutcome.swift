/// The outcome of a request. The number is stored, the name is part of the API.
public enum RequestOutcome: UInt8, Sendable, CaseIterable {
    /// The request was admitted, and its response was complete. The status of the upstream does not matter.
    case allowed = 1
    /// Keyward refused the request.
    case denied = 2
    /// Keyward refused the request because of a limit.
    case limited = 3
    /// The upstream, or Keyward itself, could not serve the request.
    case failed = 4
    /// The request was admitted, and ended before its response was complete: the client left, or the key became
    /// invalid.
    case terminated = 5

    public var name: String {
        switch self {
        case .allowed: "allowed"
        case .denied: "denied"
        case .limited: "limited"
        case .failed: "failed"
        case .terminated: "terminated"
        }
    }

    public init?(name: some StringProtocol) {
        guard let outcome = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = outcome
    }

    /// The outcome of a request that Keyward answered itself with an error of that status.
    public init(refusalWithStatus status: Int) {
        self =
            switch status {
            case 429: .limited
            case 499: .terminated
            case 500...: .failed
            default: .denied
            }
    }
}
