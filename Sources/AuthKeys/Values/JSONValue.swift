/// A JSON value (RFC 8259), for data that an operator stores with a key and Keyward only forwards.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// A text that is equal for equal values: not JSON, but as unambiguous.
    package var canonical: String {
        switch self {
        case .null: "n"
        case .bool(let value): value ? "t" : "f"
        case .integer(let value): "i\(value);"
        case .number(let value): "d\(value);"
        case .string(let value): "s\(value.utf8.count):\(value)"
        case .array(let values): "[" + values.map(\.canonical).joined() + "]"
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { JSONValue.string($0.key).canonical + $0.value.canonical }
                .joined() + "}"
        }
    }

    /// Compares texts byte by byte. Swift's comparison of strings also holds for canonically equivalent ones.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        left.canonical.utf8.elementsEqual(right.canonical.utf8)
    }

    /// The JSON text without white space, members sorted by name.
    public var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): value.isFinite ? String(value) : "null"
        case .string(let value): Self.quoted(value)
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { Self.quoted($0.key) + ":" + $0.value.text }
                .joined(separator: ",") + "}"
        }
    }

    /// Returns the text as a JSON string (RFC 8259 section 7).
    public static func quoted(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x22 && $0 != 0x5C }) { return "\"\(text)\"" }
        var result: [UInt8] = [0x22]
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: result += [0x5C, byte]
            case 0..<0x20: result += Array("\\u00\(Hex.text([byte]))".utf8)
            default: result.append(byte)
            }
        }
        return String(decoding: result + [0x22], as: UTF8.self)
    }

    /// An upper bound of the size in bytes as JSON without white space, close to the real size.
    package var size: Int {
        switch self {
        case .null, .bool: 5
        case .integer(let value): String(value).utf8.count
        case .number(let value): String(value).utf8.count
        case .string(let value): value.utf8.reduce(2) { $0 + ($1 < 0x20 ? 6 : $1 == 0x22 || $1 == 0x5C ? 2 : 1) }
        case .array(let values): values.reduce(2) { $0 + $1.size + 1 }
        case .object(let members): members.reduce(2) { $0 + JSONValue.string($1.key).size + $1.value.size + 2 }
        }
    }

    /// Returns true if arrays and objects are nested more than this number of levels.
    package func isDeeper(than levels: Int) -> Bool {
        switch self {
        case .null, .bool, .integer, .number, .string: false
        case .array(let values): levels <= 0 || values.contains { $0.isDeeper(than: levels - 1) }
        case .object(let members): levels <= 0 || members.values.contains { $0.isDeeper(than: levels - 1) }
        }
    }

    /// True if a text in the value has a NUL, which PostgreSQL cannot store.
    package var hasNUL: Bool {
        switch self {
        case .null, .bool, .integer, .number: false
        case .string(let value): value.utf8.contains(0)
        case .array(let values): values.contains(where: \.hasNUL)
        case .object(let members): members.contains { $0.key.utf8.contains(0) || $0.value.hasNUL }
        }
    }

    /// Returns the result of a merge patch (RFC 7396 section 2).
    public func merged(with patch: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members: [String: JSONValue] = [:]
        if case .object(let own) = self { members = own }
        for (name, change) in changes {
            members[name] = change == .null ? nil : (members[name] ?? .null).merged(with: change)
        }
        return .object(members)
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
