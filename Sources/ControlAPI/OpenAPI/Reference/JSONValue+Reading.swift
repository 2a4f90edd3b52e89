import AuthKeys

/// Access to the parts of a document.
extension JSONValue {
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }

    var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    var list: [JSONValue] {
        guard case .array(let values) = self else { return [] }
        return values
    }

    var strings: [String] { list.compactMap(\.string) }

    /// The members of an object, sorted by name.
    var members: [(name: String, value: JSONValue)] {
        guard case .object(let members) = self else { return [] }
        return members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A string without quotes, or any other value as JSON.
    var plain: String { string ?? text }

    /// Returns indented JSON for readers; a value that contains only scalars is on one line.
    func indented(by depth: Int = 0) -> String {
        let (inner, outer) = (String(repeating: "  ", count: depth + 1), String(repeating: "  ", count: depth))
        switch self {
        case .array(let values) where values.contains(where: \.isNested):
            let lines = values.map { inner + $0.indented(by: depth + 1) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
        case .array(let values):
            return "[" + values.map(\.text).joined(separator: ", ") + "]"
        case .object where !members.isEmpty:
            let lines = members.map { inner + Self.quoted($0.name) + ": " + $0.value.indented(by: depth + 1) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        default:
            return text
        }
    }

    private var isNested: Bool {
        switch self {
        case .array, .object: true
        case .null, .bool, .integer, .number, .string: false
        }
    }
}
