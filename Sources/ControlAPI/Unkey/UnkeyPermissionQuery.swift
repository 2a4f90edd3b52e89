import AuthKeys

/// Parses the permissions that a caller of `keys.verifyKey` requires: names joined by AND in any case. Parentheses are
/// accepted, but make no difference.
enum UnkeyPermissionQuery {
    static let lengthLimit = 1_000

    static func scopes(_ query: String) throws(APIError) -> ScopeRequirement {
        func fault(_ reason: String) -> APIError { .validation("permissions \(reason)", param: "permissions") }
        guard query.utf8.count <= lengthLimit else { throw fault("must be at most \(lengthLimit) bytes") }
        let form = fault("must be a permission, or several joined by AND")
        var scopes: [String] = []
        var (wantsPermission, depth) = (true, 0)
        for word in words(query) {
            switch (wantsPermission, word.uppercased()) {
            case (_, "OR"):
                throw fault("is not supported with OR: Keyward accepts only permissions that are all required")
            case (true, "("): depth += 1
            case (false, ")") where depth > 0: depth -= 1
            case (false, "AND"): wantsPermission = true
            case (true, "AND"), (true, ")"), (false, _): throw form
            case (true, _):
                scopes.append(word)
                wantsPermission = false
            }
        }
        guard !wantsPermission, depth == 0 else { throw form }
        guard let needed = ScopeRequirement(scopes) else {
            throw fault("must be at most 128 permissions of visible ASCII characters without wildcards")
        }
        return needed
    }

    /// Splits a query into words; each parenthesis is a word.
    private static func words(_ query: String) -> [String] {
        query.replacing("(", with: " ( ").replacing(")", with: " ) ").split(whereSeparator: \.isWhitespace)
            .map { String($0) }
    }
}
