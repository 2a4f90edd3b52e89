/// Fixed-width base 62 over the alphabet `0-9A-Za-z`, most significant digit first.
enum Base62 {
    static let alphabet: [UInt8] = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Returns the value of a digit, or nil for a byte outside the alphabet.
    @inline(__always)
    static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case 0x30...0x39: UInt32(digit) - 0x30
        case 0x41...0x5A: UInt32(digit) - 0x41 + 10
        case 0x61...0x7A: UInt32(digit) - 0x61 + 36
        default: nil
        }
    }

    /// Returns a big-endian number in exactly `width` digits; higher digits are dropped.
    static func encode(_ bigEndian: [UInt8], width: Int) -> [UInt8] {
        var digits = [UInt8](repeating: alphabet[0], count: width)
        var words = words(bigEndian)
        for position in stride(from: width - 1, through: 0, by: -1) {
            var remainder: UInt64 = 0
            for index in words.indices {
                let value = remainder << 32 | UInt64(words[index])
                words[index] = UInt32(truncatingIfNeeded: value / 62)
                remainder = value % 62
            }
            digits[position] = alphabet[Int(remainder)]
        }
        return digits
    }

    /// Returns the number in words of 32 bits, the most significant first.
    private static func words(_ bigEndian: [UInt8]) -> [UInt32] {
        var words = [UInt32](repeating: 0, count: (bigEndian.count + 3) / 4)
        let padding = words.count * 4 - bigEndian.count
        for (offset, byte) in bigEndian.enumerated() {
            let target = offset + padding
            words[target / 4] |= UInt32(byte) << UInt32(24 - 8 * (target % 4))
        }
        return words
    }

    /// Reads a number of at most 32 bits; nil for a byte outside the alphabet or an overflow.
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

    /// Returns true if every byte is a digit. Checks eight bytes at a time by arithmetic on a word.
    @inline(__always)
    static func isValid(_ digits: UnsafeRawBufferPointer) -> Bool {
        let width = 8
        guard digits.count >= width else { return digits.allSatisfy { value(of: $0) != nil } }
        var offset = 0
        while true {
            guard areDigits(digits.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) else { return false }
            if offset == digits.count - width { return true }
            offset = min(offset + width, digits.count - width)
        }
    }

    /// Returns true if all eight bytes are digits. Adding to a byte below 128 sets its top bit exactly if it is large
    /// enough, and never carries into the next byte.
    @inline(__always)
    private static func areDigits(_ word: UInt64) -> Bool {
        let tops: UInt64 = 0x8080_8080_8080_8080
        func each(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }
        guard word & tops == 0 else { return false }
        let lower = word | each(0x20)
        let numbers = (word &+ each(0x80 - 0x30)) & ~(word &+ each(0x80 - 0x3A))
        let letters = (lower &+ each(0x80 - 0x61)) & ~(lower &+ each(0x80 - 0x7B))
        return (numbers | letters) & tops == tops
    }
}
