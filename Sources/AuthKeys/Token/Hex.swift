/// Hexadecimal digits. Text is read with letters in either case.
package enum Hex {
    /// Returns the value of a digit; nil for any other byte.
    @inlinable @inline(__always)
    package static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }

    /// Returns the digit of a value below 16.
    @inlinable @inline(__always)
    package static func digit(_ value: UInt8, isUppercase: Bool = false) -> UInt8 {
        value < 10 ? 0x30 + value : (isUppercase ? 0x41 : 0x61) + value - 10
    }

    /// Returns the two digits of each byte.
    package static func text(_ bytes: [UInt8], isUppercase: Bool = false) -> String {
        String(unsafeUninitializedCapacity: bytes.count * 2) { digits in
            for (index, byte) in bytes.enumerated() {
                digits[index * 2] = digit(byte >> 4, isUppercase: isUppercase)
                digits[index * 2 + 1] = digit(byte & 0xF, isUppercase: isUppercase)
            }
            return bytes.count * 2
        }
    }

    /// Returns nil for an odd number of digits, or an invalid one.
    package static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        for index in stride(from: 0, to: text.count, by: 2) {
            guard let high = value(of: text[index]), let low = value(of: text[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
