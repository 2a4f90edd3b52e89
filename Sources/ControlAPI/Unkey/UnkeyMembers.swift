import AuthKeys

/// The members of a body of Unkey's API. Unknown members are refused, and so are features that Keyward lacks, if the
/// request would use them.
struct UnkeyMembers<Name: CodingKey & CaseIterable> {
    let container: KeyedDecodingContainer<Name>
    private let decoder: any Decoder

    init(_ decoder: any Decoder, _ names: Name.Type) throws {
        try decoder.refuseMembers(beyond: names)
        self.decoder = decoder
        container = try decoder.container(keyedBy: names)
    }

    func has(_ name: Name) -> Bool { container.contains(name) }

    /// Returns the value of a member; nil if it is null or absent.
    func value<Value: Decodable>(_ name: Name, _ type: Value.Type = Value.self) throws -> Value? {
        try container.decodeIfPresent(type, forKey: name)
    }

    /// Returns a required, non-empty text.
    func text(_ name: Name) throws -> String {
        let text = try container.decode(String.self, forKey: name)
        guard !text.isEmpty else { throw Self.fault(name, "is required") }
        return text
    }

    /// Refuses a member that would have an effect.
    func refuse(_ name: Name, _ reason: String) throws {
        guard let given = try value(name, JSONValue.self), given.hasEffect else { return }
        throw Self.fault(name, "is not supported: \(reason)")
    }

    /// Returns the name of a rate limit.
    func limitName(_ name: Name) throws -> String {
        let text = try container.decode(String.self, forKey: name)
        guard LimitRule.isName(text) else {
            throw fault(at: name, "must have 1 to \(LimitRule.nameLimit) of the characters a-z, 0-9 and -")
        }
        return text
    }

    /// Returns the fault of a member of an object within the body, with its place.
    func fault(at name: Name, _ reason: String) -> APIError {
        let param = decoder.member(name)
        return .validation("\(param) \(reason)", param: param)
    }

    static func fault(_ name: Name, _ reason: String) -> APIError {
        .validation("\(name.stringValue) \(reason)", param: name.stringValue)
    }
}

extension JSONValue {
    /// True if an option with this value may have an effect. Null, false, empty values, and objects of such values have
    /// none.
    fileprivate var hasEffect: Bool {
        switch self {
        case .null, .bool(false): false
        case .bool, .integer, .number: true
        case .string(let text): !text.isEmpty
        case .array(let values): !values.isEmpty
        case .object(let members):
            members.values.contains { member in
                if case .object = member { true } else { member.hasEffect }
            }
        }
    }
}
