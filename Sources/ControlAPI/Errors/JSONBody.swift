import AuthKeys
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationEssentialsCompat

/// JSON in and out.
enum JSONBody {
    static func encoder() -> FoundationEssentials.JSONEncoder {
        let encoder = FoundationEssentials.JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

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
        try encoder().encode(value)
    }

    /// The value of a text that was kept as JSON; null for what is none, and for what is deeper than anything that may be kept
    /// now: reading that would cost a second. What is kept may have levels around what was sent, as the trail's changes have.
    static func value(_ text: String) -> JSONValue {
        guard (try? JSONScanner.check(text, rules: .kept)) != nil else { return .null }
        return (try? FoundationEssentials.JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null
    }

    /// Reads an object. What is wrong with it is said in the caller's terms, and names the member.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws(APIError) -> Value {
        switch read(type, from: body, with: FoundationEssentials.JSONDecoder()) {
        case .success(let value): return value
        case .failure(.fault(let fault)): throw .invalidJSON(fault.message, param: fault.param)
        case .failure(.refused(let error)): throw error
        }
    }

    /// Does the same with a decoder of the caller's.
    ///
    /// The scanner reads the bytes first, and the decoder reads the same bytes. The two cannot differ: the scanner passes no other
    /// encoding than UTF-8, which is the only one that the decoder then detects; it passes the grammar of RFC 8259 alone, which the
    /// decoder accepts as it is; and where the RFC leaves a choice, among members of the same name, it refuses the text.
    static func read<Value: Decodable>(
        _ type: Value.Type, from body: ByteBuffer, with decoder: FoundationEssentials.JSONDecoder
    ) -> Result<Value, JSONRefusal> {
        let defect = body.withUnsafeReadableBytes { bytes -> JSONDefect? in
            do throws(JSONDefect) {
                try JSONScanner.check(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let defect { return .failure(.fault(JSONFault(defect))) }
        do {
            return .success(try decoder.decode(type, from: Data(body.readableBytesView)))
        } catch let error as APIError {
            return .failure(.refused(error))
        } catch {
            return .failure(.fault(JSONFault(error)))
        }
    }
}

/// Why a JSON text was not read.
enum JSONRefusal: Error {
    /// The text is not JSON, or not of the shape that is read.
    case fault(JSONFault)
    /// A member has a value that it must not have.
    case refused(APIError)
}

/// What is wrong with a JSON text, in its writer's terms. Of the text, it has at most the names of members.
struct JSONFault {
    let param: String?
    let message: String

    init(_ defect: JSONDefect) {
        let path = defect.path.map { step in
            switch step {
            case .member(let name): AnyMember(stringValue: name.shown)
            case .element(let number): AnyMember(intValue: number)
            }
        }
        guard defect.namesMember, !path.isEmpty else {
            (param, message) = (nil, defect.message)
            return
        }
        let (place, text) = Self.place(of: path)
        (param, message) = (place, "member \(text) \(defect.reason)")
    }

    init(_ error: any Error) {
        let path: [any CodingKey]
        let reason: String
        var isShape = false
        switch error {
        case DecodingError.typeMismatch(let type, let context), DecodingError.valueNotFound(let type, let context):
            path = context.codingPath
            reason = "must be \(Self.name(of: type))"
            isShape = true
        case DecodingError.keyNotFound(let key, let context):
            path = context.codingPath + [key]
            reason = "is required"
        case DecodingError.dataCorrupted(let context):
            path = context.codingPath
            reason = "is not valid"
        default:
            path = []
            reason = "is not valid"
        }
        param = Self.member(at: path)
        message = param.map { "\($0) \(reason)" } ?? (isShape ? "it must be a JSON object" : "it is not valid JSON")
    }

    /// The name of a member that is at fault, as far as this body is one of members: `labels` for what is in it, and
    /// `requests[2].ip` for a member of an object in an array. Nil for the body itself.
    static func member(at path: [any CodingKey]) -> String? {
        guard let first = path.first, first.intValue == nil else { return nil }
        guard path.count > 2, let number = path[1].intValue, path[2].intValue == nil else { return first.stringValue }
        return "\(first.stringValue)[\(number)].\(path[2].stringValue)"
    }

    /// Names a member twice: as the `param` of an error, and in a message. Below a member of free form, only the message has the
    /// member's own name.
    static func place(of path: [any CodingKey]) -> (param: String, text: String) {
        let name = path.last?.stringValue ?? ""
        guard let param = member(at: path) else { return (name, "'\(name)'") }
        let isWhole = path.count == 1 || path.count == 3 && path[1].intValue != nil
        return (param, isWhole ? "'\(param)'" : "'\(name)' in '\(param)'")
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
