import HTTPTypes
import Hummingbird

/// Which methods there are for a path.
struct RouteMethods: Sendable {
    private struct Route: Sendable {
        /// Nil for one that may be anything.
        let segments: [Substring?]
        let method: HTTPRequest.Method
    }

    private let routes: [Route]

    init<Context>(of router: Router<Context>) {
        routes = router.routes.map { route in
            Route(
                segments: Self.segments(of: route.path.description).map { $0.hasPrefix("{") ? nil : $0 },
                method: route.method)
        }
    }

    /// The methods for a path, with HEAD where there is GET; none where there is nothing.
    func methods(for path: String) -> [String] {
        let segments = Self.segments(of: path)
        let found = routes.filter { route in
            route.segments.count == segments.count
                && zip(route.segments, segments).allSatisfy { known, given in known.map { $0 == given } ?? true }
        }
        // A path that is there itself is none of those that may be anything.
        let exact = found.filter { !$0.segments.contains(nil) }
        let methods = Set((exact.isEmpty ? found : exact).map(\.method))
        return (methods.contains(.get) ? methods.union([.head]) : methods).map(\.rawValue).sorted()
    }

    private static func segments(of path: String) -> [Substring] { path.split(separator: "/") }
}
