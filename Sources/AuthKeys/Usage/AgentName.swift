/// The name in a `User-Agent` (RFC 9110 section 10.1.5): the first product, or the browser behind `Mozilla`. Versions
/// and comments are omitted, because they identify people and do not help here.
public enum AgentName {
    private static let limit = 32
    /// Longer products are not names: a client may send its key here by mistake.
    private static let productLimit = 48
    /// The beginning of a `User-Agent` in which a browser is searched for.
    private static let textLimit = 512

    /// In matching order, since most browsers also claim to be others.
    private enum Browser: Int, CaseIterable {
        case edge, opera, firefox, chrome, safari, bot, unknown

        var name: StaticString {
            switch self {
            case .edge: "Edge"
            case .opera: "Opera"
            case .firefox: "Firefox"
            case .chrome: "Chrome"
            case .safari: "Safari"
            case .bot: "bot"
            case .unknown: "Mozilla"
            }
        }
    }

    /// Returns nil if there is no name.
    public static func read(_ value: UnsafeRawBufferPointer) -> String? {
        find(value).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the bytes of the name, within `value` or in static memory; nil if there is no name.
    package static func find(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var end = 0
        while end < value.count, isNameByte(value[end]) {
            end += 1
            if end > productLimit { return nil }
        }
        guard end > 0 else { return nil }
        let name = UnsafeRawBufferPointer(rebasing: value[..<min(end, limit)])
        guard name.elementsEqual("Mozilla".utf8) else { return name }
        let browser = browser(in: UnsafeRawBufferPointer(rebasing: value.prefix(textLimit))).name
        return UnsafeRawBufferPointer(start: browser.utf8Start, count: browser.utf8CodeUnitCount)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    /// Reads the text once: the request log does so for each request.
    private static func browser(in text: UnsafeRawBufferPointer) -> Browser {
        var found = Browser.unknown
        func note(_ browser: Browser, _ mark: StaticString, at position: Int) {
            guard browser.rawValue < found.rawValue, position + mark.utf8CodeUnitCount <= text.count else { return }
            let mark = UnsafeBufferPointer(start: mark.utf8Start, count: mark.utf8CodeUnitCount)
            for (offset, byte) in mark.enumerated() where text[position + offset] != byte { return }
            found = browser
        }
        for position in text.indices {
            switch text[position] {
            case UInt8(ascii: "E"): note(.edge, "Edg/", at: position)
            case UInt8(ascii: "O"): note(.opera, "OPR/", at: position)
            case UInt8(ascii: "F"): note(.firefox, "Firefox/", at: position)
            case UInt8(ascii: "C"): note(.chrome, "Chrome/", at: position)
            case UInt8(ascii: "S"): note(.safari, "Safari/", at: position)
            case UInt8(ascii: "b"): note(.bot, "bot", at: position)
            default: break
            }
        }
        return found
    }
}
