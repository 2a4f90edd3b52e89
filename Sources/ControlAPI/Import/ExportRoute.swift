import AuthKeys
import ControlBodies
import FoundationEssentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore
import NIOFoundationEssentialsCompat

/// `GET /admin/api/v1/auth-keys/export`: streams all keys, one a line, in the format of the list.
struct ExportRoute: AdminRoutes {
    static let path = AuthKeyRoutes.path + "/export"
    private static let pageSize = 1_000

    let service: AuthKeyService

    var routes: [AdminRoute] {
        [AdminRoute(.get, needs: .keysRead, takes: ListParameters.filters + ["cursor"], as: .keyRead, use: export)]
    }

    private func export(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        var query = try ListParameters(request.uri).query
        query.limit = Self.pageSize
        // The first page is read before the response begins, so that a failure of the database still gets its status.
        let first = try await page(query, context, call)
        let body = ResponseBody { [query] writer in
            var (query, current) = (query, first)
            while true {
                try await writer.write(try lines(current.keys))
                guard let next = current.next else { break }
                query.after = next
                try await context.authorizeAgain()
                current = try await page(query, context, call)
            }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    private func page(
        _ query: KeyQuery, _ context: ControlContext, _ call: AdminCall
    ) async throws(APIError) -> (keys: [AuthKey], next: ListCursor?) {
        try await context.ask(await service.list(query, for: call.admin))
    }

    private func lines(_ keys: [AuthKey]) throws -> ByteBuffer {
        let encoder = JSONBody.encoder()
        let now = Timestamp.now
        var lines = ByteBuffer()
        for key in keys {
            lines.writeData(try encoder.encode(KeyJSON(key, now: now)))
            lines.writeInteger(UInt8(0x0A))
        }
        return lines
    }
}
