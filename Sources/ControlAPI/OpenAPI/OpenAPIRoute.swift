import HTTPTypes
import Hummingbird
import NIOCore

/// Serves `/openapi.json`.
struct OpenAPIRoute {
    func add(to router: Router<ControlContext>) {
        let document = ByteBuffer(bytes: OpenAPIDocument.bytes)
        router.get("openapi.json") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json", .contentLength: String(document.readableBytes)],
                body: ResponseBody(byteBuffer: document))
        }
    }
}
