import Hummingbird

/// A response of Unkey's API: `{"meta":{"requestId"},"data":…}`, and the pagination of a list.
struct UnkeyAnswer<Content: Encodable>: Encodable {
    let meta: UnkeyMeta
    let data: Content
    let pagination: UnkeyPagination?

    static func response(
        _ content: Content, _ context: ControlContext, pagination: UnkeyPagination? = nil
    ) throws -> Response {
        try JSONBody.response(UnkeyAnswer(meta: UnkeyMeta(context), data: content, pagination: pagination))
    }
}

struct UnkeyMeta: Encodable {
    let requestID: String

    enum CodingKeys: String, CodingKey {
        case requestID = "requestId"
    }

    init(_ context: ControlContext) {
        requestID = context.requestID
    }
}

struct UnkeyPagination: Encodable {
    let hasMore: Bool
    let cursor: String?
}

/// The empty object, the data of an operation that returns nothing.
struct UnkeyNothing: Encodable {}
