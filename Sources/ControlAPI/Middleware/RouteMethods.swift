import HTTPTypes
import Hummingbird

/// The methods of each path.
struct RouteMethods: Sendable {
    private struct Route: Sendable {
        /// The segments of the path; nil for a parameter, which matches any segment.
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

    /// Returns the methods for a path, with HEAD if there is GET; an empty list if there is no such path.
    func methods(for path: String) -> [String] {
        let segments = Self.segments(of: path)
        let found = routes.filter { route in
            route.segments.count == segments.count
                && zip(route.segments, segments).allSatisfy { known, given in known.map { $0 == given } ?? true }
        }
        // A literal path takes precedence over one with parameters.
        let exact = found.filter { !$0.segments.contains(nil) }
        let methods = Set((exact.isEmpty ? found : exact).map(\.method))
        return (methods.contains(.get) ? methods.union([.head]) : methods).map(\.rawValue).sorted()
    }

    private static func segments(of path: String) -> [Substring] { path.split(separator: "/") }
}
