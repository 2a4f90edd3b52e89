import HTTPTypes
import Hummingbird
import NIOCore

/// `/docs`: what the OpenAPI document says, for people.
struct ReferenceRoute {
    let computing: ComputeExecutor

    /// Made at the first request. The document is a part of the program: if it cannot be read, the tests say so.
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
