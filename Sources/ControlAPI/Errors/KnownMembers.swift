extension Decoder {
    /// Refuses a body with a member that is none of those: what is misspelt would change nothing, where it was meant to.
    func refuseMembers<Known: CodingKey & CaseIterable>(beyond known: Known.Type) throws {
        let known = known.allCases.map(\.stringValue)
        let given = try container(keyedBy: AnyMember.self).allKeys.map(\.stringValue)
        // In an order of its own, so that the same body always gets the same answer.
        guard let unknown = given.filter({ !known.contains($0) }).min() else { return }
        let shown = member(AnyMember(stringValue: String(unknown.prefix(AnyMember.nameLimit))))
        throw APIError.validation(
            "\(shown) is not a member of this body: there is \(known.joined(separator: ", "))", param: shown)
    }

    /// The name of a member of what this decodes, as errors name it.
    func member(_ name: any CodingKey) -> String {
        JSONFault.member(at: codingPath + [name]) ?? name.stringValue
    }
}

/// A member of any name.
private struct AnyMember: CodingKey {
    /// Characters of an unknown name that are repeated to the caller.
    static let nameLimit = 100

    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) {
        return nil
    }
}
