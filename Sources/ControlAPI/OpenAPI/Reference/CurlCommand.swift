import AuthKeys

/// A `curl` command that calls an operation. Keys are shell variables; the command contains none.
struct CurlCommand {
    static let base = "$KEYWARD_CONTROL_URL"
    static let adminKey = "$KEYWARD_ADMIN_KEY"

    let text: String

    init(_ operation: Reference.Operation) {
        let path = operation.path.replacing("{id}", with: "$ID")
        var words = ["curl" + (operation.method == "GET" ? "" : " -X \(operation.method)") + " \"\(Self.base)\(path)\""]
        if case .bearer? = operation.credentials.first {
            let key = operation.path == ForwardAuth.path ? "$KEYWARD_KEY" : Self.adminKey
            words.append("-H \"Authorization: Bearer \(key)\"")
        }
        for parameter in operation.parameters where parameter["in"]?.string == "header" {
            guard let name = parameter["name"]?.string, let example = parameter["example"] else { continue }
            words.append("-H \(Self.quoted("\(name): \(example.plain)"))")
        }
        if let (type, body) = operation.body?["content"]?.members.first { words += Self.words(type, body["example"]) }
        text = words.joined(separator: " \\\n  ")
    }

    private static func words(_ type: String, _ example: JSONValue?) -> [String] {
        let field = "-H \(quoted("Content-Type: \(type)"))"
        switch type {
        case FormPairs.mediaType:
            return (example?.members ?? []).map { "--data-urlencode \(quoted("\($0.name)=\($0.value.plain)"))" }
        case "application/x-ndjson": return [field, "--data-binary @keys.ndjson"]
        default: return [field, "-d \(quoted((example ?? .object([:])).text))"]
        }
    }

    /// Quotes a text as one word for a POSIX shell.
    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}
