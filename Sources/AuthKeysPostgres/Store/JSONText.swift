import AuthKeys
import FoundationEssentials
import LibPQ

/// JSON between the domain and `jsonb`.
enum JSONText {
    static func encode(_ value: some Encodable) throws(PostgresError) -> String {
        do {
            return String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
        } catch {
            // A number such as infinity, which no JSON text can have brought.
            throw PostgresError.unencodable
        }
    }

    /// What is not of that shape was put there by hand: it counts as nothing.
    static func decode<Value: Decodable>(_ type: [String: Value].Type, _ text: String) -> [String: Value] {
        (try? JSONDecoder().decode(type, from: Data(text.utf8))) ?? [:]
    }
}
