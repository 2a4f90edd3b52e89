import NIOCore
import NIOHPACK

/// The encoding in which a request's field section passes through the HTTP/2 library. The library converts names and
/// values to `String`. That changes bytes that are not UTF-8, and comparing such strings takes time quadratic in a run
/// of combining marks.
///
/// The library gets a section with a few fixed fields and one field whose value is the client's section. Each byte is
/// encoded as the character with its number. No name in it comes from the client, and no value is ever compared.
enum CarriedSection {
    private static let whole = "section"
    private static let malformed = "malformed"
    private static let tooLarge = "too-large"
    /// Terminates each name and each value. No value contains a control character other than a tab.
    private static let separator: UInt8 = 0x1F

    /// The size that the library has to accept for a section of size `limit`.
    static func size(for limit: Int) -> Int { limit * 2 + 1_024 }

    /// Returns the block for the library.
    /// - Parameter isTrailers: true for a section without pseudo-headers.
    static func write(_ section: Result<FieldSection, HeadError>, isTrailers: Bool) -> ByteBuffer {
        var out = ByteBuffer()
        // `:method: GET`, `:path: /`, `:scheme: https`: the library accepts no request without them.
        if !isTrailers { out.writeBytes([0x82, 0x84, 0x87]) }
        switch section {
        case .success(let section): write(whole, characters(of: section), to: &out)
        case .failure(.tooLarge): write(tooLarge, [], to: &out)
        case .failure: write(malformed, [], to: &out)
        }
        return out
    }

    /// Decodes a section that the library passed on.
    static func read(_ headers: HPACKHeaders) throws(HeadError) -> FieldSection {
        for (name, value, _) in headers where name.utf8.first != ByteClass.colon {
            switch name {
            case whole: return section(of: value)
            case tooLarge: throw .tooLarge
            default: throw .malformed
            }
        }
        throw .malformed
    }

    private static func write(_ name: String, _ value: [UInt8], to out: inout ByteBuffer) {
        out.writeInteger(UInt8(0))
        HPACKWriter.write(name.utf8.count, prefix: 7, pattern: 0, to: &out)
        out.writeString(name)
        HPACKWriter.write(value.count, prefix: 7, pattern: 0, to: &out)
        out.writeBytes(value)
    }

    private static func characters(of section: FieldSection) -> [UInt8] {
        var characters: [UInt8] = []
        func append(_ bytes: UnsafeRawBufferPointer) {
            for byte in bytes {
                if byte < 0x80 {
                    characters.append(byte)
                } else {
                    characters.append(0xC0 | byte >> 6)
                    characters.append(0x80 | byte & 0x3F)
                }
            }
            characters.append(separator)
        }
        section.forEachField { name, value in
            append(name)
            append(value)
        }
        return characters
    }

    private static func section(of characters: String) -> FieldSection {
        var section = FieldSection()
        var name: [UInt8]?
        var part: [UInt8] = []
        var high: UInt8?
        for byte in characters.utf8 {
            if byte == separator {
                if let known = name {
                    section.append(known, part)
                    name = nil
                } else {
                    name = part
                }
                part.removeAll(keepingCapacity: true)
            } else if byte < 0x80 {
                part.append(byte)
            } else if let first = high {
                part.append(first << 6 | byte & 0x3F)
                high = nil
            } else {
                high = byte
            }
        }
        return section
    }
}
