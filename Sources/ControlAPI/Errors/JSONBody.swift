import AuthKeys
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationCompat

/// JSON in and out.
enum JSONBody {
    /// A response with a value as its body.
    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let body = ByteBuffer(data: try bytes(value))
        return Response(
            status: status,
            headers: [.contentType: "application/json", .contentLength: String(body.readableBytes)],
            body: ResponseBody(byteBuffer: body))
    }

    /// A value as JSON on one line.
    static func bytes(_ value: some Encodable) throws -> Data {
        let encoder = FoundationEssentials.JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// The value of a text that was kept as JSON; null for what is none.
    static func value(_ text: String) -> JSONValue {
        (try? FoundationEssentials.JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null
    }

    /// Reads an object. What is wrong with it is said in the caller's terms, and names the member.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws(APIError) -> Value {
        do {
            return try FoundationEssentials.JSONDecoder().decode(type, from: Data(body.readableBytesView))
        } catch let error as APIError {
            throw error
        } catch let error as DecodingError {
            throw APIError(error)
        } catch {
            throw .invalidJSON("it is not valid JSON")
        }
    }
}

extension APIError {
    fileprivate init(_ error: DecodingError) {
        let path: [any CodingKey]
        let reason: String
        switch error {
        case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
            path = context.codingPath
            reason = "must be \(Self.name(of: type))"
        case .keyNotFound(let key, let context):
            path = context.codingPath + [key]
            reason = "is required"
        case .dataCorrupted(let context):
            path = context.codingPath
            reason = "is not valid"
        @unknown default:
            path = []
            reason = "is not valid"
        }
        guard let member = path.first(where: { $0.intValue == nil })?.stringValue else {
            switch error {
            case .typeMismatch, .valueNotFound: self = .invalidJSON("it must be a JSON object")
            default: self = .invalidJSON("it is not valid JSON")
            }
            return
        }
        self = .invalidJSON("\(member) \(reason)", param: member)
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type, is any BinaryFloatingPoint.Type: "a number"
        case is [Any].Type: "an array"
        default: "of another type"
        }
    }
}
