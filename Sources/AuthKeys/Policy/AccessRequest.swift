/// The attributes of a request that a policy evaluates. Attributes that were not provided are refused by rules that
/// need them.
///
/// Method and path are borrowed for the duration of a call.
public struct AccessRequest {
    /// The method's bytes as received; empty if unknown.
    public var method: UnsafeRawBufferPointer
    /// The path as received, percent-encoded; a `?` and what follows are ignored. Empty if unknown.
    public var path: UnsafeRawBufferPointer
    /// The client's address, as the trusted proxies report it; nil if unknown.
    public var address: IPAddress?
    /// The scopes that the request needs.
    public var scopes: ScopeRequirement
    /// The units that the request takes from the limits of its key.
    public var spending: Spending
    /// True for a question of the holder of a key about the key itself. Rules for methods, paths and scopes do not
    /// apply to it. All limits of the key are shown, and none refuses it.
    public var concernsKey = false

    public init(
        method: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        path: UnsafeRawBufferPointer = .init(start: nil, count: 0), address: IPAddress? = nil,
        scopes: ScopeRequirement = .none, spending: Spending = .one
    ) {
        self.method = method
        self.path = path
        self.address = address
        self.scopes = scopes
        self.spending = spending
    }

    /// A request without attributes, as for keys without a policy.
    public static var unknown: AccessRequest { AccessRequest() }
}

/// The scopes that a request needs, all of them.
public struct ScopeRequirement: Sendable, Hashable {
    /// The maximum number of scopes that a caller may ask for: each is compared with every scope of a key.
    public static let countLimit = 100

    let scopes: [[UInt8]]
    /// Separated by single spaces (RFC 6749 section 3.3).
    public let text: String

    public static let none = ScopeRequirement(checked: [])

    private init(checked: [String]) {
        scopes = checked.map { Array($0.utf8) }
        text = checked.joined(separator: " ")
    }

    /// Returns nil if there are too many, or one is not a scope or has a wildcard: a request needs exact scopes.
    public init?(_ scopes: [String]) {
        guard scopes.count <= Self.countLimit,
            scopes.allSatisfy({ ScopePattern.isScope($0) && !ScopePattern.hasWildcard($0) })
        else { return nil }
        self.init(checked: scopes)
    }

    public var isEmpty: Bool { scopes.isEmpty }

    /// Returns the scopes of both.
    public func union(_ other: ScopeRequirement) -> ScopeRequirement {
        if other.isEmpty { return self }
        if isEmpty { return other }
        let mine = text.split(separator: " ").map(String.init)
        let more = other.text.split(separator: " ").map(String.init).filter { !mine.contains($0) }
        return ScopeRequirement(checked: mine + more)
    }
}

/// Matching of a key's scopes. Colons separate segments. A segment `*` matches any one segment; the last one matches
/// all that follow: `documents:*` covers `documents:read` and `documents:read:own`.
package enum ScopePattern {
    package static let lengthLimit = 128

    /// Returns true for a scope token of RFC 6749 section 3.3.
    package static func isScope(_ text: String) -> Bool {
        (1...lengthLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 == 0x21 || (0x23...0x5B).contains($0) || (0x5D...0x7E).contains($0) }
    }

    static func hasWildcard(_ text: String) -> Bool {
        text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .contains { $0.elementsEqual([UInt8(ascii: "*")]) }
    }

    /// Returns true if one of the granted scopes, separated by single spaces, covers the needed one.
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
        var (index, wanted) = (start, 0)
        while true {
            let isWildcard =
                index < end && granted[index] == UInt8(ascii: "*") && (index + 1 == end || granted[index + 1] == colon)
            if isWildcard {
                guard wanted < needed.count, needed[wanted] != colon else { return false }
                if index + 1 == end { return true }
                index += 1
                while wanted < needed.count, needed[wanted] != colon { wanted += 1 }
            } else {
                while index < end, wanted < needed.count, granted[index] == needed[wanted], granted[index] != colon {
                    index += 1
                    wanted += 1
                }
            }
            // Both must be at the end of a segment.
            guard index < end else { return wanted == needed.count }
            guard granted[index] == colon, wanted < needed.count, needed[wanted] == colon else { return false }
            index += 1
            wanted += 1
        }
    }
}
