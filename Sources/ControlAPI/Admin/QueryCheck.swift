import HummingbirdCore

extension URI {
    /// The parameters of the query, as forms and most clients encode them (URL Standard section 5.1): a plus sign is a space.
    var parameters: FlatDictionary<Substring, Substring> {
        URI("/?" + (query ?? "").replacing("+", with: "%20")).queryParameters
    }
}

/// Checks a query against the parameters of a route. A mistyped or empty one would have no effect, and is refused.
enum QueryCheck {
    static func check(_ uri: URI, takes parameters: [String]) throws(APIError) {
        var seen: Set<Substring> = []
        for (name, value) in uri.parameters where !(name.isEmpty && value.isEmpty) {
            guard parameters.contains(where: { $0 == name }) else {
                let shown = String(name).shown
                let known =
                    parameters.isEmpty
                    ? "; this route has no parameters" : "; the parameters are \(parameters.joined(separator: ", "))"
                let nearest = NearestName.of(String(name), among: parameters).map { ": did you mean '\($0)'?" }
                throw .validation("unknown parameter '\(shown)'\(nearest ?? known)", param: shown)
            }
            guard seen.insert(name).inserted else {
                throw .validation("parameter '\(name)' is repeated", param: String(name))
            }
            guard !value.isEmpty else {
                throw .validation("\(name) must not be empty: leave it out for none", param: String(name))
            }
        }
    }
}
