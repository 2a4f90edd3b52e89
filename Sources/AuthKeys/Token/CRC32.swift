/// The CRC-32 of IEEE 802.3 (reflected polynomial 0xEDB88320), eight bytes a step.
enum CRC32 {
    /// Eight tables of 256 entries: the first is the classic one, each next advances it by a zero byte.
    /// Immutable once made, hence safe to share; kept outside an array so that a look-up is one load.
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

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let table = tables.entries
        var crc = UInt32.max
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ UInt64(crc)
            crc = table[7 * 256 + Int(word & 0xFF)] ^ table[6 * 256 + Int(word >> 8 & 0xFF)]
            crc ^= table[5 * 256 + Int(word >> 16 & 0xFF)] ^ table[4 * 256 + Int(word >> 24 & 0xFF)]
            crc ^= table[3 * 256 + Int(word >> 32 & 0xFF)] ^ table[2 * 256 + Int(word >> 40 & 0xFF)]
            crc ^= table[256 + Int(word >> 48 & 0xFF)] ^ table[Int(word >> 56)]
            offset += 8
        }
        while offset < bytes.count {
            crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[offset])) & 0xFF)]
            offset += 1
        }
        return ~crc
    }
}
