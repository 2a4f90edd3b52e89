import AuthKeys

/// Percent-encodes text for a path segment or a query: all characters except the unreserved ones (RFC 3986 section 2).
public enum PercentEncoding {
    public static func encode(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + Hex.text([byte], isUppercase: true)
            }
        }
    }
}
