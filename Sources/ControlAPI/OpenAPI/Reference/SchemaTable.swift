import AuthKeys

/// A table of the members of a schema, one a row: `expires_at`, and nested ones as `labels.*` or `errors[].line`.
struct SchemaTable {
    private struct Row {
        let name: String
        let schema: JSONValue
        let isRequired: Bool
    }

    /// The maximum length of a shown pattern in characters.
    private static let patternLimit = 40

    let reference: Reference

    /// Returns the description of a schema and the table of its members, if it has any.
    func html(for schema: JSONValue) -> HTML {
        let resolved = reference.resolve(schema)
        if let alternatives = resolved["oneOf"]?.list {
            return HTML(joining: alternatives.map(html), separator: "<p class=\"or\">or</p>")
        }
        if let line = resolved["contentSchema"] { return "<p>Each line:</p>\(html(for: line))" }
        if let items = resolved["items"] { return "<p>An array, each element of which is:</p>\(html(for: items))" }
        let rows = rows(of: schema, under: "", within: [])
        if rows.isEmpty { return description(of: resolved) }
        return "\(description(of: resolved))\(Self.html(of: rows.map(html), headed: "Member"))"
    }

    /// Returns a table of rows with a name, a type and a description.
    static func html(of rows: [HTML], headed name: String) -> HTML {
        """
        <div class="scroll"><table>
        <thead><tr><th>\(text: name)</th><th>Type</th><th>Description</th></tr></thead>
        <tbody>\(rows)</tbody>
        </table></div>

        """
    }

    /// Returns the row of a parameter or a header field.
    func html(forParameter parameter: JSONValue, called name: String) -> HTML {
        let schema = reference.resolve(parameter["schema"] ?? .null)
        let place: HTML = parameter["in"]?.string.map { "<br /><small>\(text: $0)</small>" } ?? ""
        return """
            <tr><td><code>\(text: name)</code>\(Self.mark(parameter["required"] == .bool(true) && parameter["in"] != nil))\(place)</td>
            <td>\(text: type(of: schema))</td><td>\(details(parameter["description"]?.string, schema, parameter["example"]))</td></tr>
            """
    }

    private func description(of schema: JSONValue) -> HTML {
        schema["description"]?.string.map { "<p>\(HTML.prose($0))</p>" } ?? ""
    }

    private func html(_ row: Row) -> HTML {
        """
        <tr><td><code>\(text: row.name)</code>\(Self.mark(row.isRequired))</td><td>\(text: type(of: row.schema))</td>\
        <td>\(details(row.schema["description"]?.string, row.schema, row.schema["examples"]?.list.first))</td></tr>

        """
    }

    private static func mark(_ isRequired: Bool) -> HTML {
        isRequired ? "<br /><small class=\"required\">required</small>" : ""
    }

    // MARK: - Rows

    /// - Parameter seen: the names of the enclosing schemas, which end the recursion of a schema that contains itself.
    private func rows(of schema: JSONValue, under prefix: String, within seen: Set<String>) -> [Row] {
        var seen = seen
        if let name = Reference.name(of: schema), !seen.insert(name).inserted { return [] }
        let schema = reference.resolve(schema)
        let (members, required) = members(of: schema)
        return members.sorted {
            (required.contains($1.key) ? 1 : 0, $0.key) < (required.contains($0.key) ? 1 : 0, $1.key)
        }
        .flatMap { name, member in
            let resolved = reference.resolve(member)
            let row = Row(name: prefix + name, schema: resolved, isRequired: required.contains(name))
            return [row] + inner(of: resolved, under: prefix + name, within: seen)
        }
    }

    private func inner(of schema: JSONValue, under name: String, within seen: Set<String>) -> [Row] {
        if let items = schema["items"] { return rows(of: items, under: name + "[].", within: seen) }
        let any = schema["additionalProperties"].map { rows(of: $0, under: name + ".*.", within: seen) } ?? []
        return rows(of: schema, under: name + ".", within: seen) + any
    }

    /// Returns the properties of a schema and of all schemas that it is composed of.
    private func members(of schema: JSONValue) -> (members: [String: JSONValue], required: Set<String>) {
        let parts = [schema] + (schema["allOf"]?.list ?? []).map(reference.resolve)
        return parts.reduce(into: ([:], [])) { result, part in
            for (name, member) in part["properties"]?.members ?? [] { result.0[name] = member }
            result.1.formUnion(part["required"]?.strings ?? [])
        }
    }

    // MARK: - Types and details

    private func type(of schema: JSONValue) -> String {
        let names = schema["type"]?.string.map { [$0] } ?? schema["type"]?.strings ?? []
        // Descriptions cover the empty text.
        let alternatives = (schema["anyOf"]?.list ?? []).filter { $0["maxLength"] != .integer(0) }
        if names.isEmpty, !alternatives.isEmpty {
            return alternatives.map { type(of: reference.resolve($0)) }.joined(separator: " or ")
        }
        let words = names.map { name -> String in
            switch name {
            case "array": "array of \(schema["items"].map { type(of: reference.resolve($0)) } ?? "any")"
            case "string": schema["format"]?.string ?? name
            default: name
            }
        }
        return words.isEmpty ? "any" : words.joined(separator: " or ")
    }

    private func details(_ description: String?, _ schema: JSONValue, _ example: JSONValue?) -> HTML {
        let item = schema["items"].map(reference.resolve)
        var parts = description.map { [HTML.prose($0)] } ?? []
        let values = ([schema, item] + (schema["anyOf"]?.list ?? [])).flatMap { $0?["enum"]?.list ?? [] }
        if !values.isEmpty {
            parts.append("One of \(HTML(joining: values.map { HTML.code($0.plain) }, separator: ", ")).")
        }
        parts += Self.limits(of: schema)
        // Long patterns are for machines; their descriptions explain them.
        if let pattern = schema["pattern"]?.string ?? item?["pattern"]?.string, pattern.count <= Self.patternLimit {
            parts.append("Pattern \(HTML.code(pattern)).")
        }
        if let value = schema["const"] { parts.append("Always \(HTML.code(value.plain)).") }
        if let value = schema["default"] { parts.append("Default \(HTML.code(value.plain)).") }
        if let example { parts.append("Example \(HTML.code(example.plain)).") }
        return HTML(joining: parts, separator: " ")
    }

    private static func limits(of schema: JSONValue) -> [HTML] {
        let kinds = [
            ("minimum", "maximum", ""), ("minLength", "maxLength", " characters"),
            ("minItems", "maxItems", " elements"),
            ("minProperties", "maxProperties", " members"),
        ]
        return kinds.compactMap { least, most, noun -> HTML? in
            switch (schema[least]?.text, schema[most]?.text) {
            case (let least?, let most?):
                least == most ? "\(text: least + noun)." : "\(text: "\(least) to \(most)\(noun)")."
            case (let least?, nil): "At least \(text: least + noun)."
            case (nil, let most?): "At most \(text: most + noun)."
            case (nil, nil): nil
            }
        }
    }
}
