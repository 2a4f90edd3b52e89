extension KeyedDecodingContainer {
    /// A whole number; nil where it is null or not there. What is none, or is too large, is refused by name: the decoder itself
    /// takes a number that does not fit for broken JSON.
    func wholeNumber(forKey key: Key) throws -> Int64? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        do {
            return try decode(Int64.self, forKey: key)
        } catch {
            let param = JSONFault.member(at: codingPath + [key]) ?? key.stringValue
            throw APIError.validation("\(param) must be a whole number, at most \(Int64.max)", param: param)
        }
    }
}
