/// What the control listener does, as an OpenAPI 3.1 document: the file `openapi.json`, as it is.
public enum OpenAPIDocument {
    public static var bytes: [UInt8] { PackageResources.openapi_json }
}
