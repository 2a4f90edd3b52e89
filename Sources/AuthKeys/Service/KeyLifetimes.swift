/// How long new keys live, as the operator wants it.
public struct KeyLifetimes: Sendable, Equatable {
    /// Of a key whose request says nothing of its end; nil for without end.
    public var standard: Duration?
    /// At most, for every key; nil for any.
    public var longest: Duration?

    public init(standard: Duration? = nil, longest: Duration? = nil) {
        self.standard = standard ?? longest
        self.longest = longest
    }
}
