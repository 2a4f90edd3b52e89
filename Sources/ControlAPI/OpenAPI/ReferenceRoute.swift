import HTTPTypes
import Hummingbird
import NIOCore

/// Serves `/docs`, the OpenAPI document as a page for readers.
struct ReferenceRoute {
    let computing: ComputeExecutor

    /// The page, rendered at the first request. The document is part of the program, and a test fails if it cannot be
    /// read.
    private static let page = (try? Reference(OpenAPIDocument.bytes)).map { ReferencePage($0).html.markup }

    func add(to router: Router<ControlContext>) {
        router.get("docs") { [computing] _, _ in
            guard let page = try await computing.run({ Self.page }) else { throw APIError.internal }
            let body = ByteBuffer(string: page)
            return Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8", .contentLength: String(body.readableBytes),
                    .contentSecurityPolicy: ReferencePage.policy, .xContentTypeOptions: "nosniff",
                ],
                body: ResponseBody(byteBuffer: body))
        }
    }
}
