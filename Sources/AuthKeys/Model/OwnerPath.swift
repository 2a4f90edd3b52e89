/// The rules of owners. An owner is a path of segments, such as `acme/payments/alice`.
///
/// Owners are compared byte by byte, as PostgreSQL does. Swift's `==` also holds for canonically equivalent texts, such
/// as `K` and the Kelvin sign.
public enum OwnerPath {
    public static let segmentsLimit = 8
    /// The maximum length of a segment, in Unicode scalars.
    public static let segmentLimit = 64
    /// The maximum length of an owner, in Unicode scalars.
    public static let lengthLimit = segmentsLimit * segmentLimit + segmentsLimit - 1
    /// The maximum size of an owner, in bytes of UTF-8. The index `auth_keys_owner` has owners and names, and an entry
    /// of a B-tree has at most 2,704 bytes.
    public static let sizeLimit = 1_600

    static let separator = UInt8(ascii: "/")

    /// Returns true if `other` is the owner `path`, or lies below it.
    public static func contains(_ path: String, _ other: String) -> Bool {
        var (path, other) = (path.utf8.makeIterator(), other.utf8.makeIterator())
        while let byte = path.next() {
            guard other.next() == byte else { return false }
        }
        return [nil, separator].contains(other.next())
    }

    /// Returns all owners above an owner, and the owner itself, from the top; empty for nil.
    package static func withAncestors(_ path: String?) -> [String] {
        guard let path else { return [] }
        let bytes = path.utf8
        let ends = bytes.indices.filter { bytes[$0] == separator } + [bytes.endIndex]
        return ends.map { String(path[..<$0]) }
    }
}

/// A filter of owners: one owner, or one and all below it. Its text is `acme` or `acme/**`.
public struct OwnerFilter: Sendable, Equatable {
    private static let belowSuffix = "/**"

    public let path: String
    public let includesBelow: Bool

    public init(_ path: String, includesBelow: Bool = false) {
        self.path = path
        self.includesBelow = includesBelow
    }

    /// Reads the text of a filter; nil if no owner stands before `/**`.
    public init?(text: String) {
        guard text.utf8.suffix(3).elementsEqual(Self.belowSuffix.utf8) else {
            self.init(text)
            return
        }
        let path = text.unicodeScalars.dropLast(3)
        guard !path.isEmpty else { return nil }
        self.init(String(path), includesBelow: true)
    }

    public var text: String { includesBelow ? path + Self.belowSuffix : path }

    public func matches(_ owner: String?) -> Bool {
        guard let owner else { return false }
        return includesBelow ? OwnerPath.contains(path, owner) : owner.utf8.elementsEqual(path.utf8)
    }
}

extension OwnerScope {
    /// Limits a filter to the owners of the scope. Returns false if it then matches no owner.
    /// - Parameter filter: nil for all owners.
    public func limit(_ filter: inout OwnerFilter?) -> Bool {
        guard let owner else { return true }
        if let wanted = filter {
            if contains(wanted.path) { return true }
            // A subtree above the scope contains the whole scope.
            guard wanted.matches(owner) else { return false }
        }
        filter = OwnerFilter(owner, includesBelow: true)
        return true
    }
}
