import AuthKeys
import ControlBodies
import HTTPCredentials
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

extension ExplanationJSON {
    init(_ explanation: Explanation) {
        self.init(
            allowed: explanation.refusal == nil, code: explanation.refusal?.code,
            status: explanation.refusal?.kind.status ?? 200,
            decision: explanation.steps.map { step in
                Step(
                    rule: step.rule, outcome: step.refusal == nil ? "pass" : step.reportsOnly ? "report" : "refuse",
                    code: step.refusal?.code, message: step.refusal?.message, limit: step.limit?.limit,
                    remaining: step.limit?.remaining, resetSeconds: step.limit?.reset?.wholeSeconds)
            })
    }
}
