import AuthKeys
import ControlBodies
import Foundation
import Hummingbird
import KeyAdministration
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

@Suite("OpenAPI document")
struct OpenAPITests {
    private typealias Object = [String: Any]

    private struct Operation {
        let method: String
        let path: String
        let content: [String: Any]

        var name: String { "\(method) \(path)" }
        var responses: [String: Any] { content["responses"] as? [String: Any] ?? [:] }
    }

    private static let methods: Set = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]

    /// The paths that need no credential.
    private static let open: Set = [
        "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", IntrospectionRoutes.metadataPath,
    ]

    private func document() throws -> Object {
        try #require(try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.bytes)) as? Object)
    }

    private func operations() throws -> [Operation] {
        try #require(try document()["paths"] as? [String: Object]).flatMap { path, item in
            item.filter { Self.methods.contains($0.key) }.map { method, content in
                Operation(method: method.uppercased(), path: path, content: content as? Object ?? [:])
            }
        }
    }

    /// Calls `body` with each object and its location.
    private func walk(_ value: Any, _ place: String = "#", _ body: (Object, String) throws -> Void) rethrows {
        if let object = value as? Object {
            try body(object, place)
            for (name, member) in object { try walk(member, "\(place)/\(name)", body) }
        } else if let array = value as? [Any] {
            for (number, element) in array.enumerated() { try walk(element, "\(place)/\(number)", body) }
        }
    }

    @Test("the document is served unchanged without an admin key")
    func served() async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.GET, "/openapi.json", admin: nil)
            #expect(answer.status == 200 && answer.headers.first(name: "Content-Type") == "application/json")
            #expect(Array(answer.text.utf8) == OpenAPIDocument.bytes)
            #expect(answer.object["openapi"] as? String == "3.1.0")
        }
    }

    @Test("the document describes all routes and no others")
    func routes() async throws {
        let described = try operations().map(\.name)
        #expect(Set(described).count == described.count)
        try await ControlServer.with { server in
            // A middleware handles this route for every method.
            let there = server.api.router().routes.map { "\($0.method) \($0.path)" } + ["GET \(ForwardAuth.path)"]
            #expect(described.sorted() == there.sorted())
        }
    }

    @Test("operation ids are unique, and all references resolve")
    func references() throws {
        let ids = try operations().compactMap { $0.content["operationId"] as? String }
        #expect(try ids.count == operations().count && Set(ids).count == ids.count)
        let document = try document()
        var targets: Set<String> = []
        walk(document) { object, place in
            guard let reference = object["$ref"] as? String else { return }
            targets.insert(reference)
            let target = reference.split(separator: "/").dropFirst().reduce(document as Any?) { value, name in
                (value as? Object)?[String(name)]
            }
            #expect(reference.hasPrefix("#/") && target is Object, "\(place): \(reference)")
        }
        let components = try #require(document["components"] as? [String: Object])
        for (kind, members) in components where kind != "securitySchemes" {
            for name in members.keys { #expect(targets.contains("#/components/\(kind)/\(name)"), "unused: \(name)") }
        }
    }

    @Test("admin operations need an admin key and describe refusals; the others need none")
    func security() async throws {
        try await ControlServer.with { server in
            for operation in try operations() where operation.path != ForwardAuth.path {
                let schemes = try #require(operation.content["security"] as? [Object], "\(operation.name)")
                let isAdmin = !Self.open.contains(operation.path)
                #expect(schemes.first.map { Array($0.keys) } == (isAdmin ? ["adminKey"] : nil), "\(operation.name)")
                #expect(schemes.count == (operation.path == IntrospectionRoutes.path ? 2 : isAdmin ? 1 : 0))
                if isAdmin {
                    #expect(operation.responses["401"] != nil && operation.responses["403"] != nil, "\(operation.name)")
                }
                let path = operation.path.replacing("{id}", with: "0190163d-8694-739b-8b6e-c1e1b9f4a2d3")
                let answer = try await server.send(HTTPMethod(rawValue: operation.method), path, admin: nil)
                #expect(answer.status == (isAdmin ? 401 : 200), "\(operation.name)")
            }
        }
    }

    @Test("the described permissions are those of the routes")
    func permissions() async throws {
        let texts = try Dictionary(
            uniqueKeysWithValues: operations().map { ($0.name, $0.content["description"] as? String ?? "") })
        try await ControlServer.with { server in
            for group in server.api.adminRoutes {
                for route in group.routes {
                    let name = "\(route.method) \(type(of: group).path)\(route.path)"
                    let permissions = route.permissions.map { "`\($0.rawValue)`" }.joined(separator: " or ")
                    #expect(texts[name]?.hasSuffix("Needs the permission \(permissions).") == true, "\(name)")
                }
            }
        }
    }

    @Test("the described parameters are those of the routes")
    func parameters() async throws {
        let document = try document()
        let components = document["components"] as? [String: [String: Object]]
        var described: [String: Set<String>] = [:]
        for operation in try operations() {
            let parameters = (operation.content["parameters"] as? [Object] ?? []).map { parameter in
                (parameter["$ref"] as? String).flatMap {
                    components?["parameters"]?[String($0.split(separator: "/").last ?? "")]
                } ?? parameter
            }
            let names = parameters.filter { $0["in"] as? String == "query" }.compactMap { $0["name"] as? String }
            described[operation.name] = Set(names)
        }
        let expected = described
        try await ControlServer.with { server in
            for group in server.api.adminRoutes {
                for route in group.routes {
                    let name = "\(route.method) \(type(of: group).path)\(route.path)"
                    #expect(expected[name] == Set(route.parameters), "\(name)")
                }
            }
        }
    }

    @Test("every member of a schema has a description")
    func descriptions() throws {
        var count = 0
        walk(try document()) { object, place in
            guard let members = object["properties"] as? Object, !place.hasSuffix("/properties") else { return }
            for (name, schema) in members {
                let text = (schema as? Object)?["description"] as? String ?? ""
                #expect(text.count > 4, "\(place)/properties/\(name)")
                count += 1
            }
        }
        #expect(count > 300)
    }

    @Test("every body has an example, except pages and documents")
    func examples() throws {
        let all = try operations()
        #expect(!all.isEmpty)
        for operation in all where !["/openapi.json", "/docs"].contains(operation.path) {
            let responses = operation.responses.filter { $0.key.hasPrefix("2") }.values.compactMap { $0 as? Object }
            for part in responses + [operation.content["requestBody"] as? Object].compactMap(\.self) {
                for (type, content) in part["content"] as? [String: Object] ?? [:] {
                    #expect(content["example"] != nil, "\(operation.name): \(type)")
                }
            }
        }
    }

    @Test("enumerations contain all cases of the code")
    func lists() throws {
        let components = try #require(try document()["components"] as? [String: [String: Object]])
        func values(_ schema: Object?, orNull: Bool = false) -> [String] {
            let values = schema?["enum"] as? [Any] ?? []
            return orNull == values.contains { $0 is NSNull } ? values.compactMap { $0 as? String } : []
        }
        func parameter(_ name: String) -> Object? { components["parameters"]?[name]?["schema"] as? Object }
        let schemas = try #require(components["schemas"])
        #expect(values(schemas["AdminPermission"]) == AdminPermission.allCases.map(\.rawValue))
        #expect(values(schemas["AuditAction"]) == AuditAction.allCases.map(\.rawValue))
        #expect(values(schemas["PolicyRule"]) == PolicyRule.allCases.map(\.rawValue))
        #expect(values(parameter("Sort")) == KeyOrder.all.map(\.description))
        #expect(values(parameter("Status")) == KeyQuery.Status.allCases.map(\.rawValue))
        let instance = schemas["Instance"]?["properties"] as? [String: Object]
        #expect(values(instance?["kind"]) == InstanceIdentity.Kind.allCases.map(\.rawValue))
        #expect(instance?["lag"]?["maximum"] as? Int == InstanceRecord.lagLimit)
        #expect(values(parameter("RequestOutcome")) == RequestOutcome.allCases.map(\.name))
        #expect(values(parameter("RequestSurface")) == RequestSurface.allCases.map(\.name))
        let line = schemas["LoggedRequest"]?["properties"] as? [String: Object]
        #expect(values(line?["outcome"], orNull: true) == RequestOutcome.allCases.map(\.name))
        #expect(values(line?["surface"], orNull: true) == RequestSurface.allCases.map(\.name))
        let verdict = schemas["KeyVerdict"]?["properties"] as? [String: Object]
        #expect(values(verdict?["code"]) == VerifyJSON.Code.allCases.map(\.rawValue))
        let unkey = schemas["UnkeyVerdict"]?["properties"] as? [String: Object]
        #expect(values(unkey?["code"]) == UnkeyVerdictJSON.Code.allCases.map(\.rawValue))
        #expect(parameter("Limit")?["maximum"] as? Int == ListParameters.limits.upperBound)
    }

    @Test("every JSON request body excludes additional members")
    func closedBodies() throws {
        let schemas = try #require((try document()["components"] as? [String: Object])?["schemas"] as? [String: Object])
        func isClosed(_ schema: Object?) -> Bool {
            if let name = (schema?["$ref"] as? String)?.split(separator: "/").last {
                return isClosed(schemas[String(name)])
            }
            return schema?["additionalProperties"] as? Bool == false
                || schema?["unevaluatedProperties"] as? Bool == false
        }
        var count = 0
        for operation in try operations() {
            let body = operation.content["requestBody"] as? Object
            for (type, content) in body?["content"] as? [String: Object] ?? [:] where type.contains("json") {
                let schema = content["schema"] as? Object
                let isLines = schema?["contentSchema"] != nil
                #expect(isClosed(isLines ? schema?["contentSchema"] as? Object : schema), "\(operation.name)")
                count += 1
            }
        }
        #expect(count > 15)
    }

    @Test("the limits of a key's members are those of the field rules")
    func limits() throws {
        let components = try #require(try document()["components"] as? Object)
        func member(_ schema: String, _ name: String) -> Object {
            let schema = (components["schemas"] as? [String: Object])?[schema]
            return (schema?["properties"] as? [String: Object])?[name] ?? [:]
        }
        let labels = (components["schemas"] as? [String: Object])?["LabelChanges"]
        #expect(labels?["maxProperties"] as? Int == FieldRules.labelsLimit)
        for schema in ["KeyMembers", "ImportLine"] {
            #expect(member(schema, "name")["maxLength"] as? Int == FieldRules.nameLimit)
            #expect(member(schema, "description")["maxLength"] as? Int == FieldRules.descriptionLimit)
            #expect(member(schema, "owner")["maxLength"] as? Int == OwnerPath.lengthLimit)
            #expect(member(schema, "scopes")["maxItems"] as? Int == FieldRules.scopesLimit)
            for list in ["allowed_methods", "allowed_paths", "allowed_cidrs", "report_only"] {
                #expect(member(schema, list)["maxItems"] as? Int == FieldRules.ruleLimit)
            }
        }
        let grace = member("NewRotation", "grace_seconds")
        #expect(grace["maximum"] as? Int64 == FieldRules.graceLimit.components.seconds)
        let expiration = member("UnkeyReroll", "expiration")
        #expect(expiration["maximum"] as? Int64 == FieldRules.graceLimit.components.seconds * 1_000)
        for schema in ["UnkeyNewKey", "UnkeyKeyChange"] {
            #expect(member(schema, "name")["maxLength"] as? Int == FieldRules.nameLimit)
            #expect(member(schema, "externalId")["maxLength"] as? Int == OwnerPath.lengthLimit)
            #expect(member(schema, "permissions")["maxItems"] as? Int == FieldRules.scopesLimit)
        }
        let query = member("UnkeyVerification", "permissions")
        #expect(query["maxLength"] as? Int == UnkeyPermissionQuery.lengthLimit)
        #expect(grace["default"] as? Int64 == FieldRules.defaultGrace.components.seconds)
    }

    @Test("the document describes all members of request and response bodies")
    func members() throws {
        let schemas = try #require((try document()["components"] as? [String: Object])?["schemas"] as? [String: Object])
        func names(_ schema: String) -> Set<String> {
            let parts = [schemas[schema] ?? [:]] + (schemas[schema]?["allOf"] as? [Object] ?? [])
            return parts.reduce(into: []) { names, part in
                names.formUnion((part["properties"] as? Object)?.keys.map { $0 } ?? [])
                let base = (part["$ref"] as? String)?.split(separator: "/").last.map(String.init)
                names.formUnion((base.flatMap { schemas[$0]?["properties"] } as? Object)?.keys.map { $0 } ?? [])
            }
        }
        func all<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) -> Set<String> {
            Set(keys.allCases.map(\.stringValue))
        }
        #expect(names("IssuedAuthKey").union(names("RotatedAuthKey")) == all(KeyJSON.CodingKeys.self))
        #expect(names("IssuedAdminKey") == all(AdminKeyJSON.CodingKeys.self))
        #expect(names("Instance") == all(InstanceJSON.CodingKeys.self))
        #expect(names("AuditEvent") == all(AuditEventJSON.CodingKeys.self))
        #expect(names("LoggedRequest") == all(RequestJSON.CodingKeys.self))
        #expect(names("AuditVerification") == all(VerificationJSON.CodingKeys.self))
        let attributes = all(KeyPatchBody.CodingKeys.self)
        #expect(names("NewAuthKey") == attributes.union(all(CreateKeyBody.CodingKeys.self)))
        #expect(names("KeyPatch") == attributes)
        let line = attributes.union(all(ImportLineBody.CodingKeys.self)).union(ImportLineBody.exported)
        #expect(names("ImportLine") == line)
        #expect(names("NewAdminKey") == all(AdminKeyBody.CodingKeys.self))
        #expect(names("NewRotation") == all(RotateBody.CodingKeys.self))
        #expect(names("KeyQuestion") == all(VerifyBody.CodingKeys.self))
        #expect(names("KeyVerdict") == Set(VerifyJSON.Member.allCases.map(\.rawValue)))
        #expect(names("Introspection") == all(IntrospectionJSON.CodingKeys.self))
        #expect(names("Usage") == all(UsageJSON.CodingKeys.self))
        #expect(names("UnkeyKey") == all(UnkeyKeyJSON.CodingKeys.self))
        #expect(names("UnkeyIssuedKey") == all(UnkeyIssuedJSON.CodingKeys.self))
        #expect(names("UnkeyVerdict") == all(UnkeyVerdictJSON.CodingKeys.self))
        #expect(names("UnkeyNewKey") == all(UnkeyCreateBody.CodingKeys.self))
        #expect(names("UnkeyKeyChange") == all(UnkeyUpdateBody.CodingKeys.self))
        #expect(names("UnkeyKeyQuestion") == all(UnkeyGetBody.CodingKeys.self))
        #expect(names("UnkeyDeletion") == all(UnkeyDeleteBody.CodingKeys.self))
        #expect(names("UnkeyReroll") == all(UnkeyRerollBody.CodingKeys.self))
        #expect(names("UnkeyPermissions") == all(UnkeyPermissionsBody.CodingKeys.self))
        #expect(names("UnkeyListQuestion") == all(UnkeyListBody.CodingKeys.self))
        #expect(names("UnkeyVerification") == all(UnkeyVerifyBody.CodingKeys.self))
        #expect(names("UnkeySecret") == all(UnkeyWhoamiBody.CodingKeys.self))
        #expect(names("ImportReport") == all(ImportReportJSON.CodingKeys.self))
    }
}
