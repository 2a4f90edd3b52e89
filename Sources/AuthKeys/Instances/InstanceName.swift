import Glibc

/// The name of an instance: 1 to 64 printable characters, without spaces at the ends.
public struct InstanceName: Hashable, Sendable {
    /// The accepted texts, for error messages.
    public static let rule = "1 to \(limit) printable characters"
    private static let limit = 64

    /// The name as text.
    public let text: String

    /// Returns nil for any other text.
    public init?(_ text: String) {
        guard text.utf8.count <= 4 * Self.limit else { return nil }
        let scalars = text.unicodeScalars
        guard (1...Self.limit).contains(scalars.count), scalars.first != " ", scalars.last != " ",
            scalars.allSatisfy(Self.isPrintable), StreamSafeText.contains(text)
        else { return nil }
        self.text = text
    }

    /// Creates the default name: the name of this host, a colon and a text that tells apart the instances of the host.
    /// It is the same after a restart. A long host name is cut.
    public init(onThisHostWith suffix: String) {
        self.init(host: Self.hostName, suffix: suffix)
    }

    init(host: String, suffix: String) {
        let end = String(suffix.unicodeScalars.filter(Self.isWord).prefix(Self.limit / 2))
        let start = String(host.unicodeScalars.filter(Self.isWord).prefix(Self.limit - 1 - end.utf8.count))
        text = "\(start.isEmpty ? "localhost" : start):\(end)"
    }

    /// The name of this host; empty if the system has none.
    private static var hostName: String {
        var characters = [CChar](repeating: 0, count: 256)
        // The last byte stays zero: a name that is cut has no terminator.
        guard gethostname(&characters, characters.count - 1) == 0 else { return "" }
        return String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Returns true for the characters of host names and programs.
    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && scalar.value > 0x20 && scalar.value < 0x7F
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }
}
