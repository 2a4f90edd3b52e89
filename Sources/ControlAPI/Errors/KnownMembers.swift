/// The members that a body may have. Others are refused: a restriction under a mistyped name would have no effect.
struct KnownMembers {
    /// The names that an error lists.
    private let names: [String]
    private let accepted: Set<String>

    /// - Parameter ignored: names of members that are accepted without effect.
    init(_ names: [String], ignored: [String] = []) {
        self.names = names
        accepted = Set(names + ignored)
    }

    /// Refuses a body with an unknown member, and suggests the nearest known name.
    func check(_ decoder: any Decoder) throws {
        let given = try decoder.container(keyedBy: AnyMember.self).allKeys.map(\.stringValue)
        // The smallest name, so that the same body always gets the same error.
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
    /// Refuses a body with members other than these.
    func refuseMembers<Known: CodingKey & CaseIterable>(beyond known: Known.Type) throws {
        try KnownMembers(known.names).check(self)
    }

    /// Returns the name of a member of this decoder's value, as errors name it.
    func member(_ name: any CodingKey) -> String {
        JSONFault.member(at: codingPath + [name]) ?? name.stringValue
    }
}

/// A coding key for any member or element.
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
