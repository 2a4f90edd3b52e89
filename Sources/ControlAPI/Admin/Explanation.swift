import AuthKeys
import HummingbirdCore

/// The query of `GET /{id}/explain`.
struct ExplainParameters {
    static let names = ["method", "path", "ip", "scope"]

    let method: String
    let path: String
    let address: IPAddress?
    let scopes: ScopeRequirement

    init(_ uri: URI) throws(APIError) {
        let parameters = try QueryParameters(uri)
        method = parameters["method"].map { $0.uppercased() } ?? ""
        path = parameters["path"] ?? ""
        let names = parameters["scope"].map { $0.split(separator: " ").map(String.init) } ?? []
        guard parameters["scope"] == nil || !names.isEmpty else {
            throw .validation("scope must not be empty: leave it out for none", param: "scope")
        }
        do throws(DescribedRequest.Fault) {
            if let ip = parameters["ip"] { address = try DescribedRequest.address(ip) } else { address = nil }
            scopes = try DescribedRequest.scopes(names)
        } catch {
            let name = error.part == .address ? "ip" : "scope"
            throw .validation("\(name) \(error.reason)", param: name)
        }
    }
}

/// A decision in the API's JSON: each evaluated step, in order.
struct ExplanationJSON: Encodable {
    struct Step: Encodable {
        let rule: String
        /// `pass`, `refuse`, or `report` if a report-only rule refuses.
        let outcome: String
        let code: String?
        let message: String?
    }

    let allowed: Bool
    /// The code of the deciding refusal.
    let code: String?
    /// The status that the caller would get.
    let status: Int
    let decision: [Step]

    init(_ explanation: Explanation) {
        allowed = explanation.refusal == nil
        code = explanation.refusal?.code
        status = explanation.refusal?.kind.status ?? 200
        decision = explanation.steps.map { step in
            Step(
                rule: step.rule, outcome: step.refusal == nil ? "pass" : step.reportsOnly ? "report" : "refuse",
                code: step.refusal?.code, message: step.refusal?.message)
        }
    }
}
