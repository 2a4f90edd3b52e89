import AuthKeys
import FoundationEssentials

/// Decodes objects of `jsonb` into domain values.
enum JSONText {
    /// Decodes an object. Text of another shape or too deep a nesting was inserted by hand; it counts as an empty
    /// object.
    static func decode<Value: Decodable>(_ type: [String: Value].Type, _ text: String) -> [String: Value] {
        guard (try? JSONScanner.check(text, rules: .kept)) != nil else { return [:] }
        return (try? JSONDecoder().decode(type, from: Data(text.utf8))) ?? [:]
    }
}
