extension KeyedDecodingContainer {
    /// Returns a whole number; nil if it is null or absent. A number that is not whole or too large is refused by name,
    /// because the decoder itself reports one that does not fit as broken JSON.
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
