import AuthKeys
import ControlBodies
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore

/// The routes under `/admin/api/v1/audit-events`.
struct AuditRoutes: AdminRoutes {
    static let path = "/admin/api/v1/audit-events"
    private static let pageSize = 1_000

    let trail: any AuditTrail

    var routes: [AdminRoute] {
        [
            AdminRoute(
                .get, needs: .auditRead, takes: AuditParameters.filters + ListParameters.paging, as: .auditRead,
                use: list),
            AdminRoute(
                .get, "/export", needs: .auditRead, takes: AuditParameters.filters + ["cursor"], as: .auditExport,
                use: export),
            AdminRoute(.get, "/verify", needs: .auditRead, takes: ["expect"], as: .auditRead, use: verify),
        ]
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let parameters = try AuditParameters(request.uri)
        guard var query = parameters.query(for: call.admin) else { return try JSONBody.response([AuditEventJSON]()) }
        let limit = query.limit
        query.limit += 1
        let events = try await trail.events(query)
        let page = events.prefix(limit)
        var response = try JSONBody.response(page.map { AuditEventJSON($0) })
        if events.count > limit, let last = page.last {
            response.headers[.link] = parameters.link(to: AuditCursor(after: last))
        }
        return response
    }

    /// Streams all events, oldest first, one a line. Events are read page by page, so memory use is bounded.
    private func export(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        guard var query = try AuditParameters(request.uri).query(for: call.admin) else { throw APIError.otherOwner }
        query.limit = Self.pageSize
        query.oldestFirst = true
        // The first page is read and the export recorded before the response begins, so that a failure still gets its
        // status.
        let start = query
        let first = try await trail.events(start)
        try await trail.record([NewAuditEvent(call, .auditExport, owner: call.admin.owner)])
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var query = start
                var page = first
                while true {
                    var buffer = ByteBuffer()
                    for event in page {
                        buffer.writeBytes(try JSONBody.bytes(AuditEventJSON(event)))
                        buffer.writeInteger(UInt8(ascii: "\n"))
                    }
                    try await writer.write(buffer)
                    guard page.count == Self.pageSize, let last = page.last else { break }
                    query.after = AuditCursor(after: last)
                    try await context.authorizeAgain()
                    page = try await trail.events(query)
                }
                try await writer.finish(nil)
            })
    }

    private func verify(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        // The chain and its findings cover the events of all owners.
        guard call.admin.owner == nil else { throw APIError.allOwners }
        let anchor = try QueryParameters(request.uri)["expect"].map { text throws(APIError) in
            guard let place = AuditEvent.Place(text) else {
                throw APIError.validation(
                    "expect must be SEQ:HASH, a sequence number and a hash of 64 hexadecimal digits", param: "expect")
            }
            return place
        }
        let result = try await trail.verify(anchor: anchor)
        return try JSONBody.response(VerificationJSON(result))
    }
}
