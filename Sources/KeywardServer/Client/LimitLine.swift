import AuthKeys

/// Limits and credits of the API as text.
enum LimitLine {
    /// Returns the text of `--limit` for a limit of the API.
    static func text(_ limit: JSONValue) -> String {
        guard case .object(let members) = limit else { return "" }
        func text(_ name: String) -> String? {
            switch members[name] {
            case .string(let text): text
            case .integer(let number): String(number)
            default: nil
            }
        }
        var parts = ["\(text("name") ?? "")=\(text("limit") ?? text("concurrent") ?? "")"]
        if let per = text("per") { parts[0] += "/\(per)" }
        if let burst = text("burst") { parts.append("burst=\(burst)") }
        if case .array(let patterns) = members["match"] {
            for case .string(let pattern) in patterns { parts.append("match=\(pattern)") }
        }
        if members["asked"] == .bool(true) { parts.append("asked") }
        return parts.joined(separator: ",")
    }

    /// Returns what is left of credits, and the next refills.
    static func text(ofCredits credits: JSONValue) -> String {
        guard case .object(let members) = credits, case .integer(let remaining) = members["remaining"] else {
            return ""
        }
        guard case .object(let refill) = members["refill"], case .integer(let amount) = refill["amount"],
            case .string(let every) = refill["every"]
        else { return String(remaining) }
        let day: String = if case .integer(let day) = refill["day"], day != 1 { " (day \(day))" } else { "" }
        return
            "\(remaining), \(refill["mode"] == .string("add") ? "plus " : "refilled to ")\(amount) every \(every)\(day)"
    }
}
