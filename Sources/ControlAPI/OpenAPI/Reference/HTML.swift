/// A fragment of HTML that is also well-formed XML. Literals are markup; other text is inserted only as `\(text: …)`,
/// which escapes it.
struct HTML: ExpressibleByStringInterpolation {
    private(set) var markup: String

    init(stringLiteral markup: String) {
        self.markup = markup
    }

    init(stringInterpolation: StringInterpolation) {
        markup = stringInterpolation.markup
    }

    init(joining parts: [HTML], separator: String = "") {
        markup = parts.map(\.markup).joined(separator: separator)
    }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var markup = ""

        init(literalCapacity: Int, interpolationCount: Int) {}

        mutating func appendLiteral(_ markup: String) { self.markup += markup }
        mutating func appendInterpolation(text: String) { markup += HTML.escaped(text) }
        mutating func appendInterpolation(_ html: HTML) { markup += html.markup }
        mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { markup += part.markup } }
    }

    /// Returns text of the document, in which backquotes mark code, as in Markdown.
    static func prose(_ text: String) -> HTML {
        let parts = text.split(separator: "`", omittingEmptySubsequences: false).enumerated()
        return HTML(
            joining: parts.map { number, part in
                number.isMultiple(of: 2) ? "\(text: String(part))" : "<code>\(text: String(part))</code>"
            })
    }

    static func code(_ text: String) -> HTML { "<code>\(text: text)</code>" }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
