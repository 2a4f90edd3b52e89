import HTTPTypes
import Hummingbird
import NIOCore

/// `/metrics`, for Prometheus to scrape.
struct MetricsRoute {
    let registry: PrometheusRegistry

    func add(to router: Router<ControlContext>) {
        router.get("metrics") { [registry] _, _ in
            let body = ByteBuffer(string: registry.render())
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
