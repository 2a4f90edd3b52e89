/// What requests need, by method and path: rules in the order in which they are looked at, of which the first that fits counts.
/// A request that none fits needs no scope.
public struct ScopeRules: Sendable {
    /// `GET /v1/documents/*=documents:read`: a method or `*`, a path pattern, and the scopes that are needed, separated by
    /// spaces; `-` where none is needed. An empty list is refused: it may come from an unset variable.
    public struct Rule: Sendable, Hashable {
        /// Nil for any.
        let method: [UInt8]?
        let path: [UInt8]
        let requirement: ScopeRequirement

        /// Nil unless the text has that form.
        public init?(_ text: some StringProtocol) {
            // Neither a method nor a scope has a blank or a `=` that could be taken for another; a path may have either.
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

    public var isEmpty: Bool { rules.isEmpty }

    /// Returns the scopes that a request needs. Throws the refusal of one whose method differs from a named one in case alone, and of one whose
    /// path is ambiguous where there are rules.
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

    /// The same of texts.
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
