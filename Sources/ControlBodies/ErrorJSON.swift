/// An error: `{"error":{"type","message","param","code"}}`.
package struct ErrorJSON: Codable, Sendable {
    package struct Content: Codable, Sendable {
        package let type: String
        package let message: String
        package let param: String?
        package let code: String?

        enum CodingKeys: CodingKey { case type, message, param, code }

        /// Encodes `param` and `code` even if they are null.
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(type, forKey: .type)
            try container.encode(message, forKey: .message)
            try container.encode(param, forKey: .param)
            try container.encode(code, forKey: .code)
        }
    }

    package let error: Content

    package init(type: String, message: String, param: String?, code: String?) {
        error = Content(type: type, message: message, param: param, code: code)
    }
}
