import AuthKeys

/// What a caller of `keys.verifyKey` wants a key to have: permissions, joined by AND (in either case) and in parentheses, which
/// change nothing then.
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
            case (_, "OR"): throw fault("is not supported with OR: Keyward takes only permissions that are all needed")
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
            throw fault("takes permissions of visible ASCII characters without wildcards, 128 at most")
        }
        return needed
    }

    /// Parentheses are words of their own.
    private static func words(_ query: String) -> [String] {
        query.replacing("(", with: " ( ").replacing(")", with: " ) ").split(whereSeparator: \.isWhitespace)
            .map { String($0) }
    }
}
