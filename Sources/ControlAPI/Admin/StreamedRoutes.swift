import HTTPTypes

/// The routes that read their body as a stream, without the limits of size and time of other bodies.
struct StreamedRoutes: Sendable {
    private let routes: [(method: HTTPRequest.Method, path: String)]

    /// - Parameter groups: the routes of the admin API. The path of a streamed route has no parameters.
    init(of groups: [any AdminRoutes]) {
        routes = groups.flatMap { group in
            group.routes.filter(\.streamsBody).map { (method: $0.method, path: type(of: group).path + $0.path) }
        }
    }

    func contains(_ method: HTTPRequest.Method, _ path: some Collection<UInt8>) -> Bool {
        routes.contains { $0.method == method && path.elementsEqual($0.path.utf8) }
    }
}
