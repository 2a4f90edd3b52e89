/// The entry point that a request came through. The number is stored, the name is part of the API.
public enum RequestSurface: UInt8, Sendable, CaseIterable {
    case gateway = 1
    case forwardAuth = 2
    case verify = 3
    case introspection = 4
    case unkey = 5
    case middleware = 6

    public var name: String {
        switch self {
        case .gateway: "gateway"
        case .forwardAuth: "forward-auth"
        case .verify: "verify"
        case .introspection: "introspection"
        case .unkey: "unkey"
        case .middleware: "middleware"
        }
    }

    public init?(name: some StringProtocol) {
        guard let surface = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = surface
    }
}
