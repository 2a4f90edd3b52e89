/// The reason why a JSON value does not define limits or credits, with the member at fault.
public struct LimitFault: Error, Sendable, Equatable {
    /// The member, such as `limits[0].burst`.
    public let param: String
    public let message: String

    init(_ param: String, _ rule: String) {
        self.param = param
        message = "\(param) \(rule)"
    }

    /// A fault of which the message begins differently.
    init(param: String, message: String) {
        self.param = param
        self.message = message
    }
}

/// The members of an object that defines a limit or a refill, for reading. Each error names the member.
struct LimitMembers {
    private let members: [String: JSONValue]
    private let param: String

    /// - Parameters:
    ///   - param: the name of the object.
    ///   - names: the members that the object may have.
    init(_ json: JSONValue, at param: String, names: [String]) throws(LimitFault) {
        guard case .object(let members) = json else { throw LimitFault(param, "must be an object") }
        // The smallest name, so that the same value always gets the same error.
        if let unknown = members.keys.filter({ !names.contains($0) }).min() {
            let shown = "\(param).\(unknown.unicodeScalars.prefix(64).map { $0.isASCII ? String($0) : "?" }.joined())"
            throw LimitFault(
                param: shown,
                message: "unknown member '\(shown)'; the members of \(param) are \(names.joined(separator: ", "))")
        }
        self.members = members
        self.param = param
    }

    func path(_ name: String) -> String { "\(param).\(name)" }

    /// True if the member is present and not null.
    func has(_ name: String) -> Bool { value(name) != nil }

    func value(_ name: String) -> JSONValue? {
        guard let value = members[name], value != .null else { return nil }
        return value
    }

    /// Returns nil if the member is absent.
    func text(_ name: String) throws(LimitFault) -> String? {
        guard let value = value(name) else { return nil }
        guard case .string(let text) = value else { throw LimitFault(path(name), "must be a string") }
        return text
    }

    func flag(_ name: String) throws(LimitFault) -> Bool {
        guard let value = value(name) else { return false }
        guard case .bool(let flag) = value else { throw LimitFault(path(name), "must be true or false") }
        return flag
    }

    /// Returns nil if the member is absent.
    func number(_ name: String, in range: ClosedRange<Int64>) throws(LimitFault) -> Int64? {
        guard let value = value(name) else { return nil }
        let number: Int64? =
            switch value {
            case .integer(let number): number
            case .number(let number): Int64(exactly: number)
            default: nil
            }
        guard let number, range.contains(number) else {
            throw LimitFault(path(name), "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
