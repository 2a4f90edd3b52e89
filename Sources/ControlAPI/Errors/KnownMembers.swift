/// The members that a body may have. Any other one is refused: a restriction under a mistyped name would not restrict anything.
struct KnownMembers {
    /// Those that an error lists.
    private let names: [String]
    private let accepted: Set<String>

    /// - Parameter ignored: members that are accepted without effect.
    init(_ names: [String], ignored: [String] = []) {
        self.names = names
        accepted = Set(names + ignored)
    }

    /// Refuses a body with another member, by the name of that member and with the known name that is nearest to it.
    func check(_ decoder: any Decoder) throws {
        let given = try decoder.container(keyedBy: AnyMember.self).allKeys.map(\.stringValue)
        // The least one, so that the same body always gets the same error.
        guard let unknown = given.filter({ !accepted.contains($0) }).min() else { return }
        let (param, text) = JSONFault.place(of: decoder.codingPath + [AnyMember(stringValue: unknown.shown)])
        let nearest = NearestName.of(unknown, among: names).map { ": did you mean '\($0)'?" }
        throw APIError.validation(
            "unknown member \(text)\(nearest ?? "; the members are \(names.joined(separator: ", "))")", param: param)
    }
}

extension CodingKey where Self: CaseIterable {
    /// The names of all members.
    static var names: [String] { allCases.map(\.stringValue) }
}

extension Decoder {
    /// Refuses a body with a member that is not one of these.
    func refuseMembers<Known: CodingKey & CaseIterable>(beyond known: Known.Type) throws {
        try KnownMembers(known.names).check(self)
    }

    /// The name of a member of what this decodes, as errors name it.
    func member(_ name: any CodingKey) -> String {
        JSONFault.member(at: codingPath + [name]) ?? name.stringValue
    }
}

/// A member of any name, or an element.
struct AnyMember: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init(intValue: Int) {
        stringValue = String(intValue)
        self.intValue = intValue
    }
}
