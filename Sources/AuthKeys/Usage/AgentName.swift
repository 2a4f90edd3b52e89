/// The name in a `User-Agent` (RFC 9110 section 10.1.5): the first product, or the browser behind `Mozilla`. Versions
/// and comments are omitted, because they identify people and do not help here.
public enum AgentName {
    private static let limit = 32
    /// In matching order, since most browsers also claim to be others.
    private static let browsers: [(mark: [UInt8], name: String)] = [
        ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
        ("bot", "bot"),
    ].map { (Array($0.utf8), $1) }

    /// Returns nil if there is no name.
    public static func read(_ value: UnsafeRawBufferPointer) -> String? {
        let name = value.prefix(limit).prefix { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard !name.isEmpty else { return nil }
        guard name.elementsEqual("Mozilla".utf8) else { return String(decoding: name, as: UTF8.self) }
        let text = value.prefix(512)
        return browsers.first { contains($0.mark, in: text) }?.name ?? "Mozilla"
    }

    private static func contains(_ mark: [UInt8], in text: Slice<UnsafeRawBufferPointer>) -> Bool {
        text.indices.contains { text[$0...].starts(with: mark) }
    }
}
