import AuthKeys

/// The path at which the holder of a key asks about the key. Requests for it, and for `rotate` below it, are answered
/// by the gateway itself.
///
/// A path is compared as one of a key's policy: decoded, without its query and without a trailing slash. An ambiguous
/// path is another one, and goes to the upstream.
public struct SelfPath: Sendable, Equatable {
    /// The resources at the path.
    enum Target {
        case key
        case rotation
    }

    public static let rule =
        "an absolute path without query, percent-encoding, * and trailing slash, such as "
        + "/.well-known/api-key"
    private static let rotation = "/rotate"

    public let text: String
    private let keyPath: [UInt8]
    private let rotationPath: [UInt8]

    /// Returns nil unless the text follows the rule.
    public init?(_ text: String) {
        let isLiteral = !text.utf8.contains(UInt8(ascii: "*")) && text != "/"
        guard isLiteral, let own = PathPattern(text), own.text == text,
            let rotation = PathPattern(text + Self.rotation), !Self.hasDotSegment(own.text)
        else { return nil }
        self.text = text
        keyPath = Array(own.text.utf8)
        rotationPath = Array(rotation.text.utf8)
    }

    private static func hasDotSegment(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { PathPattern.hasDotSegment($0) }
    }

    /// Returns the resource that a request target names; nil if the target belongs to the upstream.
    func target(of path: UnsafeRawBufferPointer) -> Target? {
        guard let path = PathPattern.unambiguous(path), !path.isEmpty else { return nil }
        if keyPath.withUnsafeBytes({ PathPattern.matches($0, path) }) { return .key }
        return rotationPath.withUnsafeBytes { PathPattern.matches($0, path) } ? .rotation : nil
    }
}

extension SelfPath.Target {
    /// The accepted methods, for `Allow`.
    var methods: String {
        switch self {
        case .key: "GET, HEAD"
        case .rotation: "POST"
        }
    }
}
