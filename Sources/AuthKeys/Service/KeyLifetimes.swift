/// The operator's limits for the lifetimes of new keys.
public struct KeyLifetimes: Sendable, Equatable {
    /// The default lifetime; nil for no expiry.
    public var standard: Duration?
    /// The maximum lifetime of every key; nil for no limit.
    public var longest: Duration?

    public init(standard: Duration? = nil, longest: Duration? = nil) {
        self.standard = standard ?? longest
        self.longest = longest
    }
}
