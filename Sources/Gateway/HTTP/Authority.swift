import AuthKeys

/// The authority of a request, without user information: a host and an optional port (RFC 9110 section 7.2).
enum Authority {
    /// The maximum length of a DNS name (RFC 1035 section 2.3.4); addresses are shorter.
    private static let hostLimit = 255

    /// - Parameter needsPort: true if the port is required, as after CONNECT (RFC 9112 section 3.2.3).
    static func isValid(_ text: UnsafeRawBufferPointer, needsPort: Bool = false) -> Bool {
        let hostEnd: Int
        if text.first == UInt8(ascii: "[") {
            guard let close = text.firstIndex(of: UInt8(ascii: "]")), isAddress(text.part(1..<close)) else {
                return false
            }
            hostEnd = close + 1
        } else {
            hostEnd = text.firstIndex(of: ByteClass.colon) ?? text.count
            guard isName(text.part(0..<hostEnd)) else { return false }
        }
        guard hostEnd < text.count else { return !needsPort }
        let port = text.part(hostEnd + 1..<text.count)
        return text[hostEnd] == ByteClass.colon && isPort(port) && !(needsPort && port.isEmpty)
    }

    /// True for an IPv6 address (RFC 3986 section 3.2.2). No other IP literal is in use.
    private static func isAddress(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 45, text.contains(ByteClass.colon), text.allSatisfy(ByteClass.isAuthority) else {
            return false
        }
        return IPAddress(String(decoding: text, as: UTF8.self)) != nil
    }

    /// True for a non-empty `reg-name` (RFC 3986 section 3.2.2). It includes IPv4 addresses.
    private static func isName(_ text: UnsafeRawBufferPointer) -> Bool {
        guard (1...hostLimit).contains(text.count) else { return false }
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            if byte == UInt8(ascii: "%") {
                guard offset + 2 < text.count, Hex.value(of: text[offset + 1]) != nil,
                    Hex.value(of: text[offset + 2]) != nil
                else { return false }
                offset += 3
                continue
            }
            guard ByteClass.isAuthority(byte), byte != UInt8(ascii: "["), byte != UInt8(ascii: "]") else {
                return false
            }
            offset += 1
        }
        return true
    }

    /// True for `*DIGIT` (RFC 3986 section 3.2.3) that is at most 65535.
    private static func isPort(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 5, text.allSatisfy(ByteClass.isDigit) else { return false }
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65_535
    }
}
