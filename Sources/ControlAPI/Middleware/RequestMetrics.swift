import HTTPTypes
import Hummingbird
import Metrics
import Synchronization

/// Records `keyward_control_requests_total` and `keyward_control_request_seconds` by route pattern, never by path.
final class RequestMetrics: RouterMiddleware {
    typealias Context = ControlContext

    private struct Identity: Hashable {
        let route: String
        let method: String
        let status: Int
    }

    private let counters = Mutex<[Identity: (Counter, Timer)]>([:])

    func handle(
        _ request: Request, context: ControlContext, next: (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let response = try await next(request, context)
        record(
            route: context.endpointPath ?? "none",
            method: context.endpointPath == nil ? "other" : request.method.rawValue, status: response.status.code,
            since: start)
        return response
    }

    func record(route: String, method: String, status: Int, since start: ContinuousClock.Instant) {
        let identity = Identity(route: route, method: method, status: status)
        let (counter, timer) = counters.withLock { counters in
            if let known = counters[identity] { return known }
            let made = Self.make(identity)
            counters[identity] = made
            return made
        }
        counter.increment()
        let elapsed = (ContinuousClock.now - start).components
        timer.recordNanoseconds(elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000)
    }

    private static func make(_ identity: Identity) -> (Counter, Timer) {
        (
            Counter(
                label: "keyward_control_requests_total",
                dimensions: [
                    ("route", identity.route), ("method", identity.method), ("status", String(identity.status)),
                ]),
            Timer(
                label: "keyward_control_request_seconds",
                dimensions: [("route", identity.route), ("method", identity.method)])
        )
    }
}
