package import AuthKeys
import FoundationEssentials

/// Decodes `jsonb` into domain values.
package enum JSONText {
    /// Decodes an object. Text of another shape or too deep a nesting was inserted by hand; it counts as an empty
    /// object.
    package static func decode<Value: Decodable>(_ type: [String: Value].Type, _ text: String) -> [String: Value] {
        read(type, text) ?? [:]
    }

    /// Returns nil for text that is not JSON, or too deep a nesting.
    package static func value(_ text: String) -> JSONValue? { read(JSONValue.self, text) }

    private static func read<Value: Decodable>(_ type: Value.Type, _ text: String) -> Value? {
        guard (try? JSONScanner.check(text, rules: .kept)) != nil else { return nil }
        return try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
