import AuthKeys
import HTTPCredentials

/// Validates the attributes of a request that a caller describes. Each entry point names the faulty part in its own
/// terms.
enum DescribedRequest {
    struct Fault: Error {
        enum Part {
            case address, path, scopes, cost, limits
        }

        let part: Part
        let reason: String
    }

    static func address(_ text: some StringProtocol) throws(Fault) -> IPAddress {
        guard let address = IPAddress(text) else {
            throw Fault(part: .address, reason: "must be an IPv4 or IPv6 address")
        }
        return address
    }

    /// - Parameter isList: true if the scopes are an array, false if they are one text.
    static func scopes(_ names: [String], isList: Bool = false) throws(Fault) -> ScopeRequirement {
        guard let scopes = ScopeRequirement(names) else {
            let reason =
                "must be at most \(ScopeRequirement.countLimit) scopes without wildcards"
                + (isList ? "" : ", separated by spaces")
            throw Fault(part: .scopes, reason: reason)
        }
        return scopes
    }

    /// - Parameters:
    ///   - cost: nil for one unit.
    ///   - credits: nil for the cost.
    static func spending(
        _ cost: Int64? = nil, credits: Int64? = nil, limits: [Spending.Asked]
    ) throws(Fault) -> Spending {
        guard limits.count <= LimitRule.countLimit, Set(limits.map(\.name)).count == limits.count else {
            throw Fault(part: .limits, reason: "must have at most \(LimitRule.countLimit) limits with different names")
        }
        guard let spending = Spending(cost: cost ?? 1, credits: credits, asked: limits) else {
            throw Fault(part: .cost, reason: "must be 0 to \(LimitRule.unitLimit)")
        }
        return spending
    }

    /// Returns a percent-encoded path; empty if it is unknown.
    static func path(_ text: String?) throws(Fault) -> String {
        let path = text ?? ""
        guard path.isEmpty || path == "*" || path.utf8.first == UInt8(ascii: "/") else {
            throw Fault(part: .path, reason: "must begin with /")
        }
        if let fault = TargetFault(in: path.utf8) {
            throw Fault(part: .path, reason: "must be percent-encoded: \(fault.message)")
        }
        return path
    }
}
