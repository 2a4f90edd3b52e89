/// The cost of requests by method and path: an ordered list of rules, of which the first match decides. A request that
/// matches no rule costs one unit.
public struct CostRules: Sendable {
    /// A rule such as `POST /v1/images/**=10`: a method or `*`, a path pattern, and the cost in units.
    public struct Rule: Sendable, Hashable {
        /// The maximum cost.
        public static let limit: Int64 = 1_000_000

        let pattern: RequestPattern
        let cost: Int64

        /// Returns nil unless the text has that form.
        public init?(_ text: some StringProtocol) {
            // A cost contains no `=`; a path may contain one. So the last one delimits the pattern.
            guard let equals = text.lastIndex(of: "="), let pattern = RequestPattern(text[..<equals]) else {
                return nil
            }
            let digits = text[text.index(after: equals)...]
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let cost = Int64(digits), cost <= Self.limit
            else { return nil }
            self.pattern = pattern
            self.cost = cost
        }
    }

    private let rules: [Rule]
    /// The cost of a request that could be read in several ways.
    private let largest: Int64

    public init(_ rules: [Rule] = []) {
        self.rules = rules
        largest = rules.reduce(1) { max($0, $1.cost) }
    }

    public var isEmpty: Bool { rules.isEmpty }

    /// Returns the cost of a request. An ambiguous path costs as much as the most expensive rule, and so does a method
    /// that differs from a rule's in case alone. So no other form of a request avoids a cost.
    public func cost(method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer) -> Int64 {
        if rules.isEmpty { return 1 }
        let isMiscased = MethodName.isMiscased(method) || rules.contains { $0.pattern.isMiscased(method) }
        guard !isMiscased, let path = PathPattern.unambiguous(path) else { return largest }
        return rules.first { $0.pattern.matches(method: method, path: path) }?.cost ?? 1
    }
}
