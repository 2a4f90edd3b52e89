import AuthKeys
import FoundationEssentials

/// Objects of `jsonb` for the domain.
enum JSONText {
    /// What is not of that shape, or is nested too deep, was put there by hand: it counts as nothing.
    static func decode<Value: Decodable>(_ type: [String: Value].Type, _ text: String) -> [String: Value] {
        guard (try? JSONScanner.check(text, rules: .kept)) != nil else { return [:] }
        return (try? JSONDecoder().decode(type, from: Data(text.utf8))) ?? [:]
    }
}
