import AuthKeys
import ControlBodies
import Hummingbird
import HummingbirdCore
import KeyAdministration

/// The route of statistics about requests.
struct StatisticsRoutes: AdminRoutes {
    static let path = "/admin/api/v1/requests"
    static let noun = "request"

    let service: AuthKeyService
    let searches: RequestSearches

    var routes: [AdminRoute] {
        [
            AdminRoute(
                .get, "/stats", needs: .requestsRead, takes: StatisticsParameters.names, as: .requestRead, use: stats)
        ]
    }

    private func stats(
        _ request: Request, _ context: ControlContext, _ call: AdminCall
    ) async throws -> Response {
        let parameters = try StatisticsParameters(request.uri, now: service.now)
        let query = try await context.ask(try parameters.query())
        let report = try await searches.computeStatistics { try await service.traffic(query, for: call.admin) }
        return try JSONBody.response(StatisticsJSON(report, of: query))
    }
}

/// The query of `GET /admin/api/v1/requests/stats`.
struct StatisticsParameters {
    static let names = ["step", "since", "until", "key_id", "owner", "label"]

    private let step: TrafficQuery.Step
    private let since: Timestamp
    private let until: Timestamp
    private let keyID: KeyID?
    private let owner: OwnerFilter?
    private let label: (name: String, value: String?)?

    init(_ uri: URI, now: Timestamp) throws(APIError) {
        let parameters = try QueryParameters(uri)
        if let text = parameters["step"] {
            guard let step = TrafficQuery.Step(rawValue: text) else {
                throw .validation("step must be minute, hour or day", param: "step")
            }
            self.step = step
        } else {
            step = .hour
        }
        since =
            try ListParameters.moment(parameters["since"], param: "since", now: now)
            ?? now.advanced(by: .zero - Self.usualPeriod(step))
        // Requests of the current moment count, too.
        until =
            try ListParameters.moment(parameters["until"], param: "until", now: now)
            ?? now.advanced(by: .microseconds(1))
        keyID = try parameters["key_id"].map { text throws(APIError) in
            guard let id = KeyID(text) else { throw .validation("key_id must be the id of a key", param: "key_id") }
            return id
        }
        owner = try ListParameters.owner(
            ListParameters.text(parameters["owner"], param: "owner", limit: ListParameters.ownerLimit))
        label = try ListParameters.text(parameters["label"], param: "label", limit: FieldRules.nameLimit * 2).map {
            let parts = $0.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
        }
    }

    func query() throws(AuthKeyError) -> TrafficQuery {
        var query = try TrafficQuery(step: step, since: since, until: until)
        query.keyID = keyID
        query.owner = owner
        (query.labelName, query.labelValue) = (label?.name, label?.value)
        return query
    }

    /// The period without `since`.
    private static func usualPeriod(_ step: TrafficQuery.Step) -> Duration {
        switch step {
        case .minute: .seconds(3_600)
        case .hour: .seconds(86_400)
        case .day: .seconds(30 * 86_400)
        }
    }
}
