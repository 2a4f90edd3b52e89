/// What a `User-Agent` (RFC 9110 section 10.1.5) is by: the name of its first product, or of the browser that hides behind
/// `Mozilla`. Without versions and comments, which tell people apart and say nothing of use here.
public enum AgentName {
    private static let limit = 32
    /// In the order in which they are looked for: most browsers claim to be others too.
    private static let browsers: [(mark: [UInt8], name: String)] = [
        ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
        ("bot", "bot"),
    ].map { (Array($0.utf8), $1) }

    /// Nil where there is no name.
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
