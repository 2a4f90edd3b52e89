/// The scopes that requests need, by method and path: an ordered list of rules, of which the first match decides. A
/// request that matches no rule needs no scope.
public struct ScopeRules: Sendable {
    /// A rule such as `GET /v1/documents/*=documents:read`: a method or `*`, a path pattern, and the needed scopes,
    /// separated by spaces; `-` for none. An empty list is refused: it may come from an unset variable.
    public struct Rule: Sendable, Hashable {
        /// Nil for any.
        let method: [UInt8]?
        let path: [UInt8]
        let requirement: ScopeRequirement

        /// Returns nil unless the text has that form.
        public init?(_ text: some StringProtocol) {
            // Methods and scopes contain neither a blank nor a `=`; a path may contain both. So the first blank and the
            // last `=` delimit the path.
            guard let blank = text.firstIndex(of: " "), let equals = text.lastIndex(of: "="), blank < equals else {
                return nil
            }
            let name = text[..<blank]
            var scopes = text[text.index(after: equals)...].split(separator: " " as Character).map { String($0) }
            if scopes.isEmpty { return nil }
            if scopes == ["-"] { scopes = [] }
            guard let pattern = PathPattern(text[text.index(after: blank)..<equals]),
                let requirement = ScopeRequirement(scopes)
            else { return nil }
            if name == "*" {
                method = nil
            } else {
                guard let name = MethodName.checked(String(name)) else { return nil }
                method = Array(name.utf8)
            }
            path = Array(pattern.text.utf8)
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
        let isMiscased =
            MethodName.isMiscased(method)
            || rules.contains { $0.method.map { MethodName.isMiscased(method, from: $0) } ?? false }
        if isMiscased { throw .methodAmbiguous }
        if rules.isEmpty { return ScopeRequirement.none }
        guard let path = PathPattern.unambiguous(path) else { throw .pathAmbiguous }
        let rule = rules.first { rule in
            (rule.method.map { $0.withUnsafeBytes { MethodName.covers($0, method) } } ?? true)
                && rule.path.withUnsafeBytes { PathPattern.matches($0, path) }
        }
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
