import HTTPTypes
import Hummingbird
import NIOCore

/// Serves `/metrics` for Prometheus to scrape.
struct MetricsRoute {
    let registry: PrometheusRegistry
    let computing: ComputeExecutor

    func add(to router: Router<ControlContext>) {
        router.get("metrics") { [registry, computing] _, _ in
            let body = ByteBuffer(string: try await computing.run { registry.render() })
            return Response(
                status: .ok,
                headers: [
                    .contentType: "text/plain; version=0.0.4; charset=utf-8",
                    .contentLength: String(body.readableBytes),
                ],
                body: ResponseBody(byteBuffer: body))
        }
    }
}
