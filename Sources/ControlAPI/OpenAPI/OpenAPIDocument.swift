/// The OpenAPI 3.1 document of the control listener: the content of `openapi.json`.
public enum OpenAPIDocument {
    public static var bytes: [UInt8] { PackageResources.openapi_json }
}
