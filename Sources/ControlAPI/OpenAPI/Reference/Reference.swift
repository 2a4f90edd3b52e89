import AuthKeys
import FoundationEssentials

/// The content of the OpenAPI document for readers: operations by tag, with all references resolved.
struct Reference {
    /// OpenAPI's methods, in the order in which a path's operations are shown.
    private static let methods = ["get", "post", "put", "patch", "delete", "head", "options", "trace"]

    struct Group {
        let name: String
        let description: String
        let operations: [Operation]
    }

    struct Operation {
        let method: String
        let path: String
        let id: String
        let summary: String
        let description: String?
        /// The parameters of the operation and of its path.
        let parameters: [JSONValue]
        let body: JSONValue?
        let responses: [(status: String, content: JSONValue)]
        /// The alternative credentials, of which one is enough; empty if none is required.
        let credentials: [Credential]
    }

    /// A way in which a request authenticates.
    enum Credential {
        case bearer(String)
        case basic(String)
        case header(name: String, String)
    }

    let title: String
    let version: String
    let description: String
    let groups: [Group]
    private let document: JSONValue

    init(_ bytes: [UInt8]) throws {
        let document = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        self.document = document
        title = document["info"]?["title"]?.string ?? ""
        version = document["info"]?["version"]?.string ?? ""
        description = document["info"]?["description"]?.string ?? ""
        let operations = (document["paths"]?.members ?? []).flatMap { path, item in
            Self.methods.compactMap { method -> (tags: [String], operation: Operation)? in
                guard let content = item[method] else { return nil }
                return (content["tags"]?.strings ?? [], Operation(method, path, content, in: item, of: document))
            }
        }
        groups = (document["tags"]?.list ?? []).compactMap { tag in
            guard let name = tag["name"]?.string else { return nil }
            return Group(
                name: name, description: tag["description"]?.string ?? "",
                operations: operations.filter { $0.tags.contains(name) }.map { $0.operation })
        }
    }

    /// Returns the target of a reference, or any other value unchanged.
    func resolve(_ value: JSONValue) -> JSONValue { Self.resolve(value, in: document) }

    /// Returns the last segment of a reference.
    static func name(of value: JSONValue) -> String? {
        value["$ref"]?.string?.split(separator: "/").last.map(String.init)
    }

    fileprivate static func resolve(_ value: JSONValue, in document: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.string else { return value }
        return reference.split(separator: "/").dropFirst().reduce(document) { $0[String($1)] ?? .null }
    }
}

extension Reference.Operation {
    /// - Parameters:
    ///   - content: the object of the operation.
    ///   - item: the object of its path.
    fileprivate init(
        _ method: String, _ path: String, _ content: JSONValue, in item: JSONValue, of document: JSONValue
    ) {
        self.method = method.uppercased()
        self.path = path
        id = content["operationId"]?.string ?? ""
        summary = content["summary"]?.string ?? ""
        description = content["description"]?.string
        parameters = ((item["parameters"]?.list ?? []) + (content["parameters"]?.list ?? [])).map {
            Reference.resolve($0, in: document)
        }
        body = content["requestBody"].map { Reference.resolve($0, in: document) }
        responses = (content["responses"]?.members ?? []).map { ($0.name, Reference.resolve($0.value, in: document)) }
        let schemes = document["components"]?["securitySchemes"]
        credentials = (content["security"]?.list ?? []).flatMap(\.members).compactMap { name, _ in
            (schemes?[name]).flatMap(Reference.Credential.init)
        }
    }
}

extension Reference.Credential {
    /// - Parameter scheme: a security scheme of the document.
    fileprivate init?(_ scheme: JSONValue) {
        let text = scheme["description"]?.string ?? ""
        switch (scheme["type"]?.string, scheme["scheme"]?.string, scheme["name"]?.string) {
        case ("http", "bearer", _): self = .bearer(text)
        case ("http", "basic", _): self = .basic(text)
        case ("apiKey", _, let name?): self = .header(name: name, text)
        default: return nil
        }
    }
}
