import AuthKeys

/// The authority of a request, without user information: a host and perhaps a port (RFC 9110 section 7.2).
enum Authority {
    /// No name of DNS is longer (RFC 1035 section 2.3.4), and no address.
    private static let hostLimit = 255

    /// - Parameter needsPort: whether a port is a part of it, as after CONNECT (RFC 9112 section 3.2.3).
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

    /// An address of IPv6 (RFC 3986 section 3.2.2). No other literal is in use.
    private static func isAddress(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 45, text.contains(ByteClass.colon), text.allSatisfy(ByteClass.isAuthority) else {
            return false
        }
        return IPAddress(String(decoding: text, as: UTF8.self)) != nil
    }

    /// `reg-name` of RFC 3986 section 3.2.2, and not empty. An address of IPv4 is one too.
    private static func isName(_ text: UnsafeRawBufferPointer) -> Bool {
        guard (1...hostLimit).contains(text.count) else { return false }
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            if byte == UInt8(ascii: "%") {
                guard offset + 2 < text.count, isHexDigit(text[offset + 1]), isHexDigit(text[offset + 2]) else {
                    return false
                }
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

    /// `*DIGIT` (RFC 3986 section 3.2.3), within what a port can be.
    private static func isPort(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 5, text.allSatisfy(ByteClass.isDigit) else { return false }
        return text.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65_535
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        ByteClass.isDigit(byte) || (byte | 0x20) &- 0x61 <= 5
    }
}
