import KeyAdministration
import LibPQ

/// The search for a text in names and descriptions, in either case.
enum TextFilter {
    /// Returns the condition on a key `k`. The index is `auth_keys_text`, which has the trigrams of both columns.
    static func condition(_ text: String, _ bindings: inout Bindings) -> String {
        func patterns(_ separators: [String]) -> String {
            let beginnings = [escapedForLike(text) + "%"] + separators.map { "%\(escapedForLike($0 + text))%" }
            return "ILIKE ANY (\(bindings.add(.textArray(beginnings)))::text[])"
        }
        if KeyQuery.isWordBeginning(text) {
            let name = patterns(KeyQuery.separatorsInNames)
            return "(k.name \(name) OR k.description \(patterns(KeyQuery.separatorsInDescriptions)))"
        }
        if let pattern = foldingPattern(text) {
            let pattern = bindings.add(.text(pattern))
            return "(k.name ~ \(pattern) OR k.description ~ \(pattern))"
        }
        let pattern = bindings.add(.text("%\(escapedForLike(text))%"))
        return "(k.name ILIKE \(pattern) OR k.description ILIKE \(pattern))"
    }

    private static func escapedForLike(_ text: String) -> String {
        var escaped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if ["\\", "%", "_"].contains(scalar) { escaped.append("\\") }
            escaped.append(scalar)
        }
        return String(escaped)
    }

    /// Returns a regular expression that matches a text in either case; nil if the text has no cased letters beyond
    /// ASCII.
    ///
    /// `ILIKE` folds case by the database's collation, which covers only ASCII under `C`. An expression with both forms
    /// needs no collation, and trigram indexes support it (PostgreSQL, F.35.4).
    private static func foldingPattern(_ text: String) -> String? {
        let forms = text.unicodeScalars.map { (scalar: $0, forms: caseForms($0)) }
        guard forms.contains(where: { $0.forms.count > 1 && !$0.scalar.isASCII }) else { return nil }
        var pattern = String.UnicodeScalarView()
        for (scalar, forms) in forms {
            if forms.count > 1 {
                pattern.append("[")
                pattern.append(contentsOf: forms)
                pattern.append("]")
            } else {
                // Before any character except a letter or digit, a backslash means the character itself (PostgreSQL,
                // 9.7.3.3).
                if scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil {
                    pattern.append("\\")
                }
                pattern.append(scalar)
            }
        }
        return String(pattern)
    }

    /// Returns those lower, upper and title case forms of a letter that are a single scalar.
    private static func caseForms(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        var forms = [scalar]
        for text in [
            scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping, scalar.properties.titlecaseMapping,
        ] {
            let scalars = Array(text.unicodeScalars)
            if scalars.count == 1, !forms.contains(scalars[0]) { forms.append(scalars[0]) }
        }
        return forms
    }
}
