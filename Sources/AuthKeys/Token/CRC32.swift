/// The CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320), eight bytes a step.
enum CRC32 {
    /// Eight tables of 256 entries: the first is the classic table, each next advances it by a zero byte. Immutable
    /// after initialization, so sharing is safe; outside an array, so that a lookup is one load.
    private struct Tables: @unchecked Sendable {
        let entries: UnsafePointer<UInt32>

        init() {
            let entries = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
            for byte in 0..<256 {
                var value = UInt32(byte)
                for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
                entries[byte] = value
            }
            for index in 256..<(8 * 256) {
                let previous = entries[index - 256]
                entries[index] = previous >> 8 ^ entries[Int(previous & 0xFF)]
            }
            self.entries = UnsafePointer(entries)
        }
    }

    private static let tables = Tables()

    /// Computes the checksum. The bytes that do not fill a word come first, as the end of a word of zeros. Leading
    /// zeros do not change a remainder of zero. The initial ones of CRC-32 are applied to the first four bytes instead.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let table = tables.entries
        guard bytes.count >= 8 else {
            return ~bytes.reduce(.max) { crc, byte in crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
        }
        func word(at offset: Int) -> UInt64 {
            UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        let head = bytes.count % 8
        var crc = UInt32.max
        if head > 0 {
            crc = remainder(of: (word(at: 0) ^ UInt64(crc)) << UInt64(64 - 8 * head), table) ^ crc >> UInt32(8 * head)
        }
        for offset in stride(from: head, to: bytes.count, by: 8) {
            crc = remainder(of: word(at: offset) ^ UInt64(crc), table)
        }
        return ~crc
    }

    /// Returns the remainder of eight bytes.
    @inline(__always)
    private static func remainder(of word: UInt64, _ table: UnsafePointer<UInt32>) -> UInt32 {
        let low = table[7 * 256 + Int(word & 0xFF)] ^ table[6 * 256 + Int(word >> 8 & 0xFF)]
        let lower = table[5 * 256 + Int(word >> 16 & 0xFF)] ^ table[4 * 256 + Int(word >> 24 & 0xFF)]
        let higher = table[3 * 256 + Int(word >> 32 & 0xFF)] ^ table[2 * 256 + Int(word >> 40 & 0xFF)]
        let high = table[256 + Int(word >> 48 & 0xFF)] ^ table[Int(word >> 56)]
        return (low ^ lower) ^ (higher ^ high)
    }
}
