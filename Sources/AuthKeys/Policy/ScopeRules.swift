/// The scopes that requests need, by method and path: an ordered list of rules, of which the first match decides. A
/// request that matches no rule needs no scope.
public struct ScopeRules: Sendable {
    /// A rule such as `GET /v1/documents/*=documents:read`: a method or `*`, a path pattern, and the needed scopes,
    /// separated by spaces; `-` for none. An empty list is refused: it may come from an unset variable.
    public struct Rule: Sendable, Hashable {
        let pattern: RequestPattern
        let requirement: ScopeRequirement

        /// Returns nil unless the text has that form.
        public init?(_ text: some StringProtocol) {
            // Methods and scopes contain no `=`; a path may contain one. So the last one delimits the pattern.
            guard let equals = text.lastIndex(of: "="), let pattern = RequestPattern(text[..<equals]) else {
                return nil
            }
            var scopes = text[text.index(after: equals)...].split(separator: " " as Character).map { String($0) }
            if scopes.isEmpty { return nil }
            if scopes == ["-"] { scopes = [] }
            guard let requirement = ScopeRequirement(scopes) else { return nil }
            self.pattern = pattern
            self.requirement = requirement
        }
    }

    private let rules: [Rule]

    public init(_ rules: [Rule] = []) {
        self.rules = rules
    }

    /// Returns the scopes that a request needs. Throws a refusal if the method differs from a named one in case alone,
    /// or if there are rules and the path is ambiguous.
    public func requirement(
        method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer
    ) throws(Refusal) -> ScopeRequirement {
        let isMiscased = MethodName.isMiscased(method) || rules.contains { $0.pattern.isMiscased(method) }
        if isMiscased { throw .methodAmbiguous }
        if rules.isEmpty { return ScopeRequirement.none }
        guard let path = PathPattern.unambiguous(path) else { throw .pathAmbiguous }
        let rule = rules.first { $0.pattern.matches(method: method, path: path) }
        return rule?.requirement ?? ScopeRequirement.none
    }

    /// Does the same for texts.
    public func requirement(method: String, path: String) throws(Refusal) -> ScopeRequirement {
        let result: Result<ScopeRequirement, Refusal> = Array(method.utf8).withUnsafeBytes { method in
            Array(path.utf8).withUnsafeBytes { path in
                do throws(Refusal) {
                    return .success(try requirement(method: method, path: path))
                } catch {
                    return .failure(error)
                }
            }
        }
        return try result.get()
    }
}
