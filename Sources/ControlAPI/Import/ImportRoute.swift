import ControlBodies
import HTTPTypes
import Hummingbird
import HummingbirdCore
import KeyAdministration
import NIOCore

/// `POST /admin/api/v1/auth-keys/import`: imports keys, one a line.
struct ImportRoute: AdminRoutes {
    static let path = AuthKeyRoutes.path + "/import"

    let service: AuthKeyService
    let timeouts: ImportTimeouts

    var routes: [AdminRoute] {
        [
            AdminRoute(
                .post, needs: .keysWrite, takes: ImportParameters.names, as: .keyImport, streamsBody: true,
                use: importKeys)
        ]
    }

    private func importKeys(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let options = try ImportParameters.options(request.uri)
        let (channel, announced) = (context.channel, request.headers[.contentLength].flatMap { Int($0) })
        let wait = ImportWait(timeouts)
        let lines = ImportLines(body: request.body, wait: wait) { bytes in
            // A client that disconnects early ends its body too.
            guard channel.isActive, announced == nil || announced == bytes else { throw ImportLines.incomplete }
        }
        let report = try await wait.limit {
            try await service.importKeys(options, lines: lines, by: call, authorizeAgain: context.authorizeAgain)
        }
        return try JSONBody.response(ImportReportJSON(report, options), status: status(of: report, options))
    }

    private func status(of report: ImportReport, _ options: ImportOptions) -> HTTPResponse.Status {
        if report.failed == 0 || options.mode == .skip { return .ok }
        return report.hasOnlyDuplicates ? .conflict : .unprocessableContent
    }
}

enum ImportParameters {
    static let names = ["mode", "dry_run"]

    static func options(_ uri: URI) throws(APIError) -> ImportOptions {
        var options = ImportOptions()
        let parameters = try QueryParameters(uri)
        if let text = parameters["mode"] {
            guard let mode = ImportOptions.Mode(rawValue: text) else {
                throw .validation("mode must be atomic or skip", param: "mode")
            }
            options.mode = mode
        }
        if let text = parameters["dry_run"] {
            guard let isDryRun = Bool(text) else {
                throw .validation("dry_run must be true or false", param: "dry_run")
            }
            options.isDryRun = isDryRun
        }
        return options
    }
}

extension ImportReportJSON {
    init(_ report: ImportReport, _ options: ImportOptions) {
        self.init(
            imported: report.imported, failed: report.failed, dryRun: options.isDryRun,
            errors: report.problems.map { Problem(line: $0.line, param: $0.param, message: $0.message) },
            errorsTruncated: report.isTruncated)
    }
}
