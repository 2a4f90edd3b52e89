import HummingbirdCore

extension URI {
    /// The parameters of the query, as forms and most clients encode them (URL Standard section 5.1): a plus sign is a space.
    var parameters: FlatDictionary<Substring, Substring> {
        URI("/?" + (query ?? "").replacing("+", with: "%20")).queryParameters
    }
}

/// Holds a query to the parameters that a route has: one that is misspelt would say nothing, where it was meant to say something.
enum QueryCheck {
    /// Characters of an unknown name that are repeated to the caller.
    private static let nameLimit = 100

    static func check(_ uri: URI, takes parameters: [String]) throws(APIError) {
        var seen: Set<Substring> = []
        for (name, value) in uri.parameters where !(name.isEmpty && value.isEmpty) {
            guard parameters.contains(where: { $0 == name }) else {
                let shown = String(name.prefix(nameLimit))
                let known = parameters.isEmpty ? "none" : parameters.joined(separator: ", ")
                throw .validation("there is no parameter \(shown) here: there is \(known)", param: shown)
            }
            guard seen.insert(name).inserted else {
                throw .validation("\(name) must be there once", param: String(name))
            }
        }
    }
}
