import ArgumentParser
import AuthKeys

/// The values of `--limit` and `--credits`. The server checks names and ranges.
enum LimitOption {
    /// Returns the object of a limit: `NAME=UNITS[/PERIOD][,burst=UNITS][,match=METHOD PATH]…[,asked]`.
    static func limit(_ text: String) throws -> JSONValue {
        let rule = "--limit takes NAME=UNITS/PERIOD, such as minute=600/1m,burst=100, not '\(text)'"
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let first = pair(parts.removeFirst())
        guard let size = first.value.map({ $0.split(separator: "/", omittingEmptySubsequences: false) }),
            size.count <= 2, let units = Int64(size[0])
        else { throw ValidationError(rule) }
        var members: [String: JSONValue] = ["name": .string(first.name)]
        if size.count == 2 {
            members["limit"] = .integer(units)
            members["per"] = .string(String(size[1]))
        } else {
            members["concurrent"] = .integer(units)
        }
        var patterns: [JSONValue] = []
        for part in parts {
            switch pair(part) {
            case ("burst", let value?):
                guard let burst = Int64(value) else { throw ValidationError(rule) }
                members["burst"] = .integer(burst)
            case ("match", let value?): patterns.append(.string(value))
            case ("asked", nil): members["asked"] = .bool(true)
            default: throw ValidationError("--limit accepts burst=UNITS, match=METHOD PATH and asked, not '\(part)'")
            }
        }
        if !patterns.isEmpty { members["match"] = .array(patterns) }
        return .object(members)
    }

    /// Returns the object of credits: `UNITS[/PERIOD][,day=DAY][,add][,maximum=UNITS]`.
    static func credits(_ text: String) throws -> JSONValue {
        let rule = "--credits takes UNITS or UNITS/PERIOD, such as 50000/month, not '\(text)'"
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let size = parts.removeFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard size.count <= 2, let units = size.first.flatMap({ Int64($0) }) else { throw ValidationError(rule) }
        var members: [String: JSONValue] = ["remaining": .integer(units)]
        guard size.count == 2 else {
            guard parts.isEmpty else { throw ValidationError(rule) }
            return .object(members)
        }
        var refill: [String: JSONValue] = ["amount": .integer(units), "every": .string(String(size[1]))]
        for part in parts {
            switch pair(part) {
            case (let name, let value?) where ["day", "maximum"].contains(name):
                guard let number = Int64(value) else { throw ValidationError(rule) }
                refill[name] = .integer(number)
            case ("add", nil): refill["mode"] = .string("add")
            default: throw ValidationError("--credits accepts day=DAY, add and maximum=UNITS, not '\(part)'")
            }
        }
        members["refill"] = .object(refill)
        return .object(members)
    }

    private static func pair(_ text: String) -> (name: String, value: String?) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count == 2 ? parts[1] : nil)
    }
}
