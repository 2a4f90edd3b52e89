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

    /// What a request needs; nil if its path is ambiguous, and there are rules.
    public func requirement(method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer) -> ScopeRequirement? {
        if rules.isEmpty { return ScopeRequirement.none }
        guard let path = PathPattern.unambiguous(path) else { return nil }
        let rule = rules.first { rule in
            (rule.method.map { $0.withUnsafeBytes { MethodName.covers($0, method) } } ?? true)
                && rule.path.withUnsafeBytes { PathPattern.matches($0, path) }
        }
        return rule?.requirement ?? ScopeRequirement.none
    }

    /// What a request needs; nil if its path is ambiguous, and there are rules.
    public func requirement(method: String, path: String) -> ScopeRequirement? {
        Array(method.utf8).withUnsafeBytes { method in
            Array(path.utf8).withUnsafeBytes { path in requirement(method: method, path: path) }
        }
    }
}
