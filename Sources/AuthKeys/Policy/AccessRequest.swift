/// What a caller wants to do, as far as a policy asks. What is not known is refused where a rule wants to know it.
///
/// Method and path are lent for the length of a call.
public struct AccessRequest {
    /// The method's bytes, as they came; empty when it is not known.
    public var method: UnsafeRawBufferPointer
    /// The path as it came, percent-encoded; what follows a `?` is no part of it. Empty when it is not known.
    public var path: UnsafeRawBufferPointer
    /// The client's address, as the trusted proxies tell it; nil when it is not known.
    public var address: IPAddress?
    /// The scopes that the request needs.
    public var scopes: ScopeRequirement

    public init(
        method: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        path: UnsafeRawBufferPointer = .init(start: nil, count: 0), address: IPAddress? = nil,
        scopes: ScopeRequirement = .none
    ) {
        self.method = method
        self.path = path
        self.address = address
        self.scopes = scopes
    }

    /// A request of which nothing is known: good for keys without a policy.
    public static var unknown: AccessRequest { AccessRequest() }
}

/// The scopes that a request needs, all of them.
public struct ScopeRequirement: Sendable, Hashable {
    /// Scopes that one caller may ask for: each is compared with every scope of a key.
    public static let countLimit = 100

    let scopes: [[UInt8]]
    /// Separated by single spaces, as in RFC 6749 section 3.3.
    public let text: String

    public static let none = ScopeRequirement(checked: [])

    private init(checked: [String]) {
        scopes = checked.map { Array($0.utf8) }
        text = checked.joined(separator: " ")
    }

    /// Nil if they are too many, or if one is no scope or has a wildcard: what a request needs is one thing, not many.
    public init?(_ scopes: [String]) {
        guard scopes.count <= Self.countLimit,
            scopes.allSatisfy({ ScopePattern.isScope($0) && !ScopePattern.hasWildcard($0) })
        else { return nil }
        self.init(checked: scopes)
    }

    public var isEmpty: Bool { scopes.isEmpty }

    /// What both need.
    public func union(_ other: ScopeRequirement) -> ScopeRequirement {
        if other.isEmpty { return self }
        if isEmpty { return other }
        let mine = text.split(separator: " ").map(String.init)
        let more = other.text.split(separator: " ").map(String.init).filter { !mine.contains($0) }
        return ScopeRequirement(checked: mine + more)
    }
}

/// The scopes that a key has. A segment (what colons separate) that is `*` stands for any one, the last one for all that follow:
/// `documents:*` covers `documents:read` and `documents:read:own`.
enum ScopePattern {
    static let lengthLimit = 128

    /// A scope token of RFC 6749 section 3.3.
    static func isScope(_ text: String) -> Bool {
        (1...lengthLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 == 0x21 || (0x23...0x5B).contains($0) || (0x5D...0x7E).contains($0) }
    }

    static func hasWildcard(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .contains { $0.elementsEqual([UInt8(ascii: "*")]) }
    }

    /// Whether one of the scopes, which single spaces separate, covers what is needed.
    static func covers(_ granted: UnsafeRawBufferPointer, _ needed: [UInt8]) -> Bool {
        var start = 0
        while start < granted.count {
            var end = start
            while end < granted.count, granted[end] != 0x20 { end += 1 }
            if covers(granted, start, end, needed) { return true }
            start = end + 1
        }
        return false
    }

    private static func covers(
        _ granted: UnsafeRawBufferPointer, _ start: Int, _ end: Int, _ needed: [UInt8]
    ) -> Bool {
        let colon = UInt8(ascii: ":")
        var (place, wanted) = (start, 0)
        while true {
            let isWildcard =
                place < end && granted[place] == UInt8(ascii: "*") && (place + 1 == end || granted[place + 1] == colon)
            if isWildcard {
                guard wanted < needed.count, needed[wanted] != colon else { return false }
                if place + 1 == end { return true }
                place += 1
                while wanted < needed.count, needed[wanted] != colon { wanted += 1 }
            } else {
                while place < end, wanted < needed.count, granted[place] == needed[wanted], granted[place] != colon {
                    place += 1
                    wanted += 1
                }
            }
            // Both have to stand at the end of a segment.
            guard place < end else { return wanted == needed.count }
            guard granted[place] == colon, wanted < needed.count, needed[wanted] == colon else { return false }
            place += 1
            wanted += 1
        }
    }
}
