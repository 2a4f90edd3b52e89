package import AuthKeys
import Synchronization

/// Reads the definitions of limits from the text of `jsonb`.
package enum LimitText {
    /// The results for the texts that were read last. Most keys have the same limits as others, and a full load reads
    /// the limits of all keys.
    private static let known = Mutex<[String: [LimitRule]?]>([:])
    private static let knownLimit = 1_000

    /// Returns nil if the text does not define limits.
    /// - Parameter count: the maximum number of limits.
    package static func limits(_ text: String, upTo count: Int) -> [LimitRule]? {
        guard let json = JSONText.value(text) else { return nil }
        return try? LimitRule.list(json, upTo: count)
    }

    /// Returns the limits of a key or of a plan; nil if the text does not define limits.
    package static func limits(_ text: String) -> [LimitRule]? {
        if let result = known.withLock({ $0[text] }) { return result }
        let result = limits(text, upTo: LimitRule.countLimit)
        known.withLock { known in
            if known.count >= knownLimit { known = [:] }
            known[text] = .some(result)
        }
        return result
    }
}
