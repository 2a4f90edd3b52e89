import AuthKeys

/// What somebody tells of a request that is to be judged. What is wrong with it is said in one place, and named by each surface in
/// its own way.
enum DescribedRequest {
    struct Fault: Error {
        enum Part {
            case address, path, scopes
        }

        let part: Part
        let reason: String
    }

    static func address(_ text: some StringProtocol) throws(Fault) -> IPAddress {
        guard let address = IPAddress(text) else {
            throw Fault(part: .address, reason: "must be an address of IPv4 or IPv6")
        }
        return address
    }

    /// - Parameter isList: whether they come in an array, and not as one text.
    static func scopes(_ names: [String], isList: Bool = false) throws(Fault) -> ScopeRequirement {
        guard let scopes = ScopeRequirement(names) else {
            let reason =
                "takes scopes without wildcards, at most \(ScopeRequirement.countLimit)"
                + (isList ? "" : ", separated by spaces")
            throw Fault(part: .scopes, reason: reason)
        }
        return scopes
    }

    /// Percent-encoded; empty where it is not known.
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
