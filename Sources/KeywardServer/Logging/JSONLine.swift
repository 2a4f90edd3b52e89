import AuthKeys
import Logging

/// A builder of one log line: a JSON object (RFC 8259), written member by member.
struct JSONLine {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    mutating func append(_ name: String, _ text: String) {
        begin(name)
        append(quoted: text)
    }

    /// Appends a value as one or more members of the object. The members of a dictionary are named `name.member`.
    mutating func append(_ name: String, _ value: Logger.MetadataValue) {
        if case .dictionary(let members) = value {
            for (member, value) in members.sorted(by: { $0.key < $1.key }) { append("\(name).\(member)", value) }
        } else {
            begin(name)
            append(value)
        }
    }

    mutating func end() {
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func begin(_ name: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        append(quoted: name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func append(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): append(quoted: text)
        case .stringConvertible(let value):
            if let number = Self.number(value) { bytes += number.utf8 } else { append(quoted: value.description) }
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(value)
            }
            bytes.append(UInt8(ascii: "]"))
        case .dictionary: append(quoted: value.description)
        }
    }

    /// Returns a number or a boolean in JSON; nil for any other value.
    private static func number(_ value: any CustomStringConvertible) -> String? {
        switch value {
        case let value as any BinaryInteger: "\(value)"
        case let value as Double where value.isFinite: "\(value)"
        case let value as Bool: "\(value)"
        default: nil
        }
    }

    private mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x00...0x1F, 0x7F: bytes += Self.escape(byte).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Returns the escape of a control character. Unlike `JSONValue.quoted`, a line has the short forms, which people
    /// read, and an escape of DEL, which a terminal interprets.
    private static func escape(_ byte: UInt8) -> String {
        switch byte {
        case 0x09: #"\t"#
        case 0x0A: #"\n"#
        case 0x0D: #"\r"#
        default: #"\u00"# + Hex.text([byte])
        }
    }
}
