import HummingbirdCore

/// The parameters of a request's query.
struct QueryParameters {
    let pairs: [FormPairs.Pair]

    init(_ uri: URI) throws(APIError) {
        do throws(FormPairs.Fault) {
            pairs = try FormPairs((uri.query ?? "").utf8, decodesNames: false).pairs
        } catch {
            throw .validation("\(error.name?.shown ?? "the query") \(error.reason)", param: error.name?.shown)
        }
    }

    /// Returns the value of the first parameter of a name.
    subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

    /// Checks the parameters against those of a route. A mistyped or empty one would have no effect, and is refused.
    func check(takes known: [String]) throws(APIError) {
        var seen: Set<String> = []
        for pair in pairs {
            let (name, shown) = (pair.name, pair.name.shown)
            guard known.contains(name) else {
                let list =
                    known.isEmpty
                    ? "; this route has no parameters" : "; the parameters are \(known.joined(separator: ", "))"
                let nearest = NearestName.of(name, among: known).map { ": did you mean '\($0)'?" }
                throw .validation("unknown parameter '\(shown)'\(nearest ?? list)", param: shown)
            }
            guard seen.insert(name).inserted else { throw .validation("parameter '\(name)' is repeated", param: name) }
            guard !pair.value.isEmpty else {
                throw .validation("\(name) must not be empty: leave it out for none", param: name)
            }
        }
    }
}
