import AuthKeys
import Foundation
import NIOHTTP1
import Testing

@testable import ControlAPI

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite("Reference page")
struct ReferenceTests {
    /// The content of a page according to an XML parser; nil if it is not well-formed.
    private final class Elements: NSObject, XMLParserDelegate {
        private(set) var names: Set<String> = []
        private(set) var ids: [String] = []
        private(set) var links: [String] = []
        private(set) var attributes: Set<String> = []
        private(set) var commands: [String] = []
        private var text: String?

        init?(_ page: String) {
            super.init()
            let parser = XMLParser(data: Data(page.utf8))
            parser.delegate = self
            guard parser.parse() else { return nil }
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            names.insert(name)
            self.attributes.formUnion(attributes.keys)
            attributes["id"].map { ids.append($0) }
            attributes["href"].map { links.append($0) }
            text = name == "pre" ? "" : nil
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) { self.text?.append(text) }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            if name == "pre", let text { commands.append(text) }
            text = nil
        }
    }

    private func page() throws -> String { ReferencePage(try Reference(OpenAPIDocument.bytes)).html.markup }

    @Test("the page is served without an admin key, and has no scripts or external resources")
    func harmless() async throws {
        let page = try page()
        try await ControlServer.with { server in
            let answer = try await server.send(.GET, "/docs", admin: nil)
            #expect(answer.status == 200 && answer.headers["Content-Type"] == ["text/html; charset=utf-8"])
            #expect(answer.text == page)
            let policy = try #require(answer.headers.first(name: "Content-Security-Policy"))
            #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"))
        }
        let elements = try #require(Elements(page))
        #expect(elements.names.isDisjoint(with: ["script", "link", "img", "iframe", "object", "form", "base"]))
        #expect(!elements.attributes.contains { $0.hasPrefix("on") || $0 == "src" || $0 == "style" })
        #expect(elements.links.allSatisfy { $0.hasPrefix("#") || $0 == "/openapi.json" })
        #expect(!page.contains("url(") && !page.contains("@import"))
    }

    @Test("the page has each operation with its id and a command, and all links resolve")
    func complete() throws {
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.bytes)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        let elements = try #require(Elements(try page()))
        #expect(Set(elements.ids).count == elements.ids.count)
        for link in elements.links where link.hasPrefix("#") {
            #expect(elements.ids.contains(String(link.dropFirst())), "\(link)")
        }
        for (path, item) in paths {
            for (method, content) in item {
                guard let id = (content as? [String: Any])?["operationId"] as? String else { continue }
                #expect(elements.ids.contains(id) && elements.links.contains("#\(id)"), "\(id)")
                let word = method == "get" ? "" : " -X \(method.uppercased())"
                let start = "curl\(word) \"$KEYWARD_CONTROL_URL\(path.replacing("{id}", with: "$ID"))\""
                #expect(elements.commands.contains { $0 == start || $0.hasPrefix(start + " ") }, "\(id)")
            }
        }
    }

    @Test("the tables contain inherited and nested members of schemas")
    func tables() throws {
        let table = SchemaTable(reference: try Reference(OpenAPIDocument.bytes))
        func markup(_ name: String) -> String {
            table.html(for: .object(["$ref": .string("#/components/schemas/\(name)")])).markup
        }
        let issued = markup("IssuedAuthKey")
        for member in ["value", "id", "previous_secret.expires_at"] {
            #expect(issued.contains("<code>\(member)</code>"), "\(member)")
        }
        #expect(markup("ImportReport").contains("<code>errors[].line</code>"))
        #expect(markup("AuditEvent").contains("<code>changes.*.from</code>"))
        #expect(markup("NewAuthKey").contains("<code>name</code><br /><small class=\"required\">required</small>"))
    }

    @Test("text is escaped on the page and in shell commands")
    func escapes() throws {
        let hostile = #"<img src=x onerror="alert('1')">&`<b>`"#
        let markup = ("<p title=\"\(text: hostile)\">\(HTML.prose(hostile))</p>" as HTML).markup
        #expect(
            markup == """
                <p title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;`&lt;b&gt;`">\
                &lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;<code>&lt;b&gt;</code></p>
                """)
        let document = #"""
            {"tags":[{"name":"t"}],"paths":{"/x":{"post":{"tags":["t"],"requestBody":{"content":{"application/json":
            {"example":{"name":"it's $HOME `id`"}}}}}}}}
            """#
        let operation = try #require(try Reference(Array(document.utf8)).groups.first?.operations.first)
        #expect(CurlCommand(operation).text.hasSuffix(#"-d '{"name":"it'\''s $HOME `id`"}'"#))
    }
}
