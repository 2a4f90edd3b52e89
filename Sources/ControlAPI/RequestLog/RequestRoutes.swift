import AuthKeys
import ControlBodies
import FoundationEssentials
import HTTPTypes
import Hummingbird
import KeyAdministration
import NIOCore
import NIOFoundationEssentialsCompat

extension HTTPField.Name {
    /// The time down to which a search got within its budget.
    static var searchedTo: HTTPField.Name { HTTPField.Name("X-Keyward-Searched-To") ?? .server }
    static var lastEventID: HTTPField.Name { HTTPField.Name("Last-Event-ID") ?? .server }
}

/// The routes under `/admin/api/v1/requests`.
struct RequestRoutes: AdminRoutes {
    static let path = "/admin/api/v1/requests"
    static let noun = "request"

    let searches: RequestSearches

    var routes: [AdminRoute] {
        [
            AdminRoute(
                .get, needs: .requestsRead, takes: RequestParameters.filters + ListParameters.paging, as: .requestRead,
                use: list),
            AdminRoute(
                .get, "/export", needs: .requestsRead, takes: RequestParameters.filters + ["cursor"],
                as: .requestExport, use: export),
            AdminRoute(
                .get, "/tail", needs: .requestsRead, takes: RequestParameters.properties, as: .requestRead, use: tail),
            AdminRoute(.get, "/{id}", needs: .requestsRead, as: .requestRead, use: show),
        ]
    }

    private func list(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let parameters = try RequestParameters(request.uri)
        let page = try await searches.search(parameters.query, for: call.admin)
        var response = try JSONBody.response(page.lines.map { RequestJSON($0) })
        if let next = page.next { response.headers[.link] = parameters.link(to: next) }
        if let searchedTo = page.searchedTo { response.headers[.searchedTo] = searchedTo.description }
        return response
    }

    private func show(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let id = try context.parameters.require("id")
        return try JSONBody.response(RequestJSON(try await searches.request(id, for: call.admin)))
    }

    /// Streams all lines, newest first. They are read page by page, so memory use is bounded.
    private func export(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let query = try RequestParameters(request.uri).query
        let first = try await searches.export(query, by: call)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var export = first
                repeat {
                    try await writer.write(try Self.lines(export.page.lines))
                    try await context.authorizeAgain()
                } while try await context.ask(await export.advance())
                try await writer.finish(nil)
            })
    }

    private static func lines(_ lines: [LoggedRequest]) throws -> ByteBuffer {
        let encoder = JSONBody.encoder()
        var buffer = ByteBuffer()
        for line in lines {
            buffer.writeData(try encoder.encode(RequestJSON(line)))
            buffer.writeInteger(UInt8(0x0A))
        }
        return buffer
    }

    /// Streams lines as they arrive, until the client leaves, the admin key is revoked, or the instance shuts down.
    private func tail(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let query = try RequestParameters(request.uri).query
        let position = try request.headers[.lastEventID].map { text throws(APIError) in
            guard let position = RequestCursor(encoded: text) else {
                throw APIError.validation(
                    "Last-Event-ID is not valid: use the id of an event of this route", param: "Last-Event-ID")
            }
            return position
        }
        let stream = TailStream(
            tail: try searches.tail(query, after: position, for: call.admin), context: context)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream"],
            body: ResponseBody { writer in
                var stream = stream
                while let events = try await stream.next() { try await writer.write(events) }
                try await writer.finish(nil)
            })
    }
}
