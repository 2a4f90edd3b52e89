/// Fixed-width base 62 over the alphabet `0-9A-Za-z`, most significant digit first.
enum Base62 {
    static let alphabet: [UInt8] = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// The value of a digit, or nil for a byte outside the alphabet.
    @inline(__always)
    static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case 0x30...0x39: UInt32(digit) - 0x30
        case 0x41...0x5A: UInt32(digit) - 0x41 + 10
        case 0x61...0x7A: UInt32(digit) - 0x61 + 36
        default: nil
        }
    }

    /// Writes a big-endian number in exactly `width` digits; higher digits that do not fit are dropped.
    static func encode(_ bigEndian: [UInt8], width: Int) -> [UInt8] {
        var digits = [UInt8](repeating: alphabet[0], count: width)
        var number = bigEndian
        for position in stride(from: width - 1, through: 0, by: -1) {
            var remainder = 0
            for index in number.indices {
                let value = remainder << 8 | Int(number[index])
                number[index] = UInt8(value / 62)
                remainder = value % 62
            }
            digits[position] = alphabet[remainder]
        }
        return digits
    }

    /// Reads a number of at most 32 bits, or nil for a byte outside the alphabet or a value that does not fit.
    @inline(__always)
    static func decodeUInt32(_ digits: UnsafeRawBufferPointer) -> UInt32? {
        var value: UInt64 = 0
        for digit in digits {
            guard let next = self.value(of: digit) else { return nil }
            value = value * 62 + UInt64(next)
            guard value <= UInt64(UInt32.max) else { return nil }
        }
        return UInt32(value)
    }

    /// Whether every byte is a digit: sixteen at a time where there are that many.
    @inline(__always)
    static func isValid(_ digits: UnsafeRawBufferPointer) -> Bool {
        let width = 16
        guard digits.count >= width else { return digits.allSatisfy { value(of: $0) != nil } }
        var offset = 0
        while true {
            let chunk = digits.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self)
            let numbers = (chunk &- 0x30) .<= 9
            let letters = ((chunk | 0x20) &- 0x61) .<= 25
            guard all(numbers .| letters) else { return false }
            if offset == digits.count - width { return true }
            offset = min(offset + width, digits.count - width)
        }
    }
}
