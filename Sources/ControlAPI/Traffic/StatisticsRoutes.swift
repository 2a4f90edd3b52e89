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
        let query = try context.ask(try StatisticsParameters(request.uri), at: service.now)
        let report = try await searches.computeStatistics { try await service.traffic(query, for: call.admin) }
        return try JSONBody.response(StatisticsJSON(report, of: query))
    }
}

extension ControlContext {
    fileprivate func ask(_ parameters: StatisticsParameters, at now: Timestamp) throws(APIError) -> TrafficQuery {
        do { return try parameters.query(at: now) } catch { throw apiError(error) }
    }
}

/// The query of `GET /admin/api/v1/requests/stats`.
struct StatisticsParameters {
    static let names = ["step", "since", "until", "key_id", "owner", "label"]

    /// A time, or a duration before now.
    private enum Moment {
        case at(Timestamp)
        case ago(Duration)

        func time(_ now: Timestamp) -> Timestamp {
            switch self {
            case .at(let time): time
            case .ago(let duration): now.advanced(by: .zero - duration)
            }
        }
    }

    private let step: TrafficQuery.Step
    private let since: Moment
    private let until: Moment
    private let keyID: KeyID?
    private let owner: OwnerFilter?
    private let label: (name: String, value: String?)?

    init(_ uri: URI) throws(APIError) {
        let parameters = try QueryParameters(uri)
        if let text = parameters["step"] {
            guard let step = TrafficQuery.Step(rawValue: text) else {
                throw .validation("step must be minute, hour or day", param: "step")
            }
            self.step = step
        } else {
            step = .hour
        }
        since = try Self.moment(parameters["since"], param: "since") ?? .ago(Self.usualPeriod(step))
        until = try Self.moment(parameters["until"], param: "until") ?? .ago(.zero)
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

    func query(at now: Timestamp) throws(AuthKeyError) -> TrafficQuery {
        // Requests of the current moment count, too.
        let end = Timestamp(microseconds: now.microseconds + 1)
        var query = try TrafficQuery(
            step: step, since: since.time(now), until: until.time(end))
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

    /// Reads a time with an offset, or a duration before now. An unencoded plus sign is a space in a query, and is
    /// restored.
    private static func moment(_ text: String?, param: String) throws(APIError) -> Moment? {
        guard let text = try ListParameters.text(text, param: param, limit: 64) else { return nil }
        if let duration = Duration(setting: text) { return .ago(duration) }
        guard let time = try? Timestamp(text.replacing(/[ ](?=\d\d:\d\d$)/, with: "+"), param: param) else {
            throw .validation(
                """
                \(param) must be an RFC 3339 date and time with a zone, such as 2030-01-31T12:00:00Z, or a duration \
                before now, such as 15m or 7d
                """,
                param: param)
        }
        return .at(time)
    }
}
