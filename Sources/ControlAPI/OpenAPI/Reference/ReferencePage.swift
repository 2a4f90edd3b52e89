import AuthKeys
import Crypto
import FoundationEssentials

/// The reference of the control listener, rendered from its OpenAPI document: one page without scripts or external
/// resources.
struct ReferencePage {
    /// The content security policy of the page: only its own style is applied.
    static var policy: String {
        let digest = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return "default-src 'none'; style-src 'sha256-\(digest)'; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'"
    }

    private static var style: String { String(decoding: PackageResources.reference_css, as: UTF8.self) }

    private let reference: Reference
    private let table: SchemaTable

    init(_ reference: Reference) {
        self.reference = reference
        table = SchemaTable(reference: reference)
    }

    var html: HTML {
        """
        <!DOCTYPE html>
        <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
        <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>\(text: reference.title)</title>
        <style>\(HTML(stringLiteral: Self.style))</style>
        </head>
        <body>
        <a class="skip" href="#content">Skip to content</a>
        <nav aria-label="Operations">
        <p class="brand"><a href="#content">Keyward</a> <small>\(text: reference.version)</small></p>
        \(reference.groups.map(menu))
        </nav>
        <main id="content">
        \(introduction)
        \(reference.groups.map(section))
        </main>
        </body>
        </html>

        """
    }

    private func menu(_ group: Reference.Group) -> HTML {
        """
        <p><a href="#tag-\(text: group.name)">\(text: group.name)</a></p>
        <ul>
        \(group.operations.map(menu))</ul>

        """
    }

    private func menu(_ operation: Reference.Operation) -> HTML {
        """
        <li><a href="#\(text: operation.id)">\(badge(operation)) \(text: operation.summary)</a></li>

        """
    }

    private func badge(_ operation: Reference.Operation) -> HTML {
        "<b class=\"method \(text: operation.method.lowercased())\">\(text: operation.method)</b>"
    }

    private var introduction: HTML {
        """
        <header>
        <h1>\(text: reference.title)</h1>
        <p>\(HTML.prose(reference.description))</p>
        <p>This page is made of the <a href="/openapi.json">OpenAPI 3.1 document</a>, for generators of clients and other tools. \
        The commands on it take these from the shell:</p>
        <pre>export KEYWARD_CONTROL_URL=http://127.0.0.1:9090
        export KEYWARD_ADMIN_KEY="$(cat .keyward/admin-key)"</pre>
        <h2 id="errors">Errors</h2>
        \(errors.map(error))
        </header>
        """
    }

    /// The schemas of errors, which many operations share.
    private var errors: [String] { ["Error", "OAuthError"] }

    private func error(_ name: String) -> HTML {
        let schema = JSONValue.object(["$ref": .string("#/components/schemas/\(name)")])
        let example = reference.resolve(schema)["examples"]?.list.first
        return """
            <h3 id="schema-\(text: name)">\(text: name)</h3>
            \(table.html(for: schema))
            \(example.map { "<pre>\(text: $0.indented())</pre>" } ?? "")
            """
    }

    private func section(_ group: Reference.Group) -> HTML {
        """
        <section>
        <h2 id="tag-\(text: group.name)">\(text: group.name)</h2>
        <p>\(HTML.prose(group.description))</p>
        \(group.operations.map(article))
        </section>

        """
    }

    // MARK: - Operations

    private func article(_ operation: Reference.Operation) -> HTML {
        """
        <article id="\(text: operation.id)">
        <div class="words">
        <h3><a href="#\(text: operation.id)">\(text: operation.summary)</a></h3>
        <p class="route">\(badge(operation)) <code>\(text: operation.path)</code></p>
        \(operation.description.map { "<p>\(HTML.prose($0))</p>" } ?? "")
        <p>\(credentials(operation.credentials))</p>
        \(parameters(operation.parameters))
        \(operation.body.map(body) ?? "")
        <h4>Responses</h4>
        \(operation.responses.map(response))
        </div>
        <div class="samples">
        <h4>Request</h4>
        <pre>\(text: CurlCommand(operation).text)</pre>
        \(sample(operation))
        </div>
        </article>

        """
    }

    private func credentials(_ credentials: [Reference.Credential]) -> HTML {
        if credentials.isEmpty { return "Needs no credential." }
        let texts = credentials.map { credential -> HTML in
            switch credential {
            case .bearer(let text): "<code>Authorization: Bearer</code> – \(HTML.prose(text))"
            case .basic(let text): "<code>Authorization: Basic</code> – \(HTML.prose(text))"
            case .header(let name, let text): "<code>\(text: name)</code> – \(HTML.prose(text))"
            }
        }
        return HTML(joining: texts, separator: "<br />or ")
    }

    private func parameters(_ parameters: [JSONValue]) -> HTML {
        if parameters.isEmpty { return "" }
        let rows = parameters.map { table.html(forParameter: $0, called: $0["name"]?.string ?? "") }
        return """
            <h4>Parameters</h4>
            \(SchemaTable.html(of: rows, headed: "Name"))
            """
    }

    private func body(_ body: JSONValue) -> HTML {
        let content = body["content"]?.members ?? []
        let types = HTML(joining: content.map { HTML.code($0.name) }, separator: " or ")
        return """
            <h4>Body</h4>
            <p>\(types)\(body["required"] == .bool(true) ? ", required" : ", optional")</p>
            \(content.first?.value["schema"].map(table.html) ?? "")
            """
    }

    private func response(_ status: String, _ content: JSONValue) -> HTML {
        let state: HTML = status.hasPrefix("2") ? " open=\"open\"" : ""
        let (type, body) = content["content"]?.members.first.map { ($0.name, $0.value) } ?? ("", .null)
        // The introduction describes it for all responses.
        let fields = (content["headers"]?.members ?? []).filter { $0.name != "X-Request-Id" }
        let rows = fields.map { table.html(forParameter: reference.resolve($0.value), called: $0.name) }
        return """
            <details\(state)>
            <summary><b class="status s\(text: String(status.prefix(1)))">\(text: status)</b> \
            \(HTML.prose(content["description"]?.string ?? ""))</summary>
            \(rows.isEmpty ? "" : SchemaTable.html(of: rows, headed: "Header field"))
            \(body["schema"].map { "<p>Body: \(HTML.code(type))\(schema($0))" } ?? "<p>No body.</p>")
            </details>

            """
    }

    private func schema(_ schema: JSONValue) -> HTML {
        if let name = Reference.name(of: schema), errors.contains(name) {
            return ", <a href=\"#schema-\(text: name)\">\(text: name)</a></p>"
        }
        return "</p>\(table.html(for: schema))"
    }

    private func sample(_ operation: Reference.Operation) -> HTML {
        for (status, content) in operation.responses where status.hasPrefix("2") {
            guard let example = content["content"]?.members.first?.value["example"] else { continue }
            return "<h4>Response \(text: status)</h4><pre>\(text: example.string ?? example.indented())</pre>"
        }
        return ""
    }
}
