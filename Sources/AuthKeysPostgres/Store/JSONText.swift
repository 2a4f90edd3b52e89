import AuthKeys
import FoundationEssentials

/// Objects of `jsonb` for the domain.
enum JSONText {
    /// What is not of that shape was put there by hand: it counts as nothing.
    static func decode<Value: Decodable>(_ type: [String: Value].Type, _ text: String) -> [String: Value] {
        (try? JSONDecoder().decode(type, from: Data(text.utf8))) ?? [:]
    }
}
