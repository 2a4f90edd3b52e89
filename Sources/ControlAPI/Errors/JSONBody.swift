import AuthKeys
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationEssentialsCompat

/// Encodes and decodes JSON bodies.
enum JSONBody {
    static func encoder() -> FoundationEssentials.JSONEncoder {
        let encoder = FoundationEssentials.JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// Returns a response with a value as its body.
    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let body = ByteBuffer(data: try bytes(value))
        return Response(
            status: status,
            headers: [.contentType: "application/json", .contentLength: String(body.readableBytes)],
            body: ResponseBody(byteBuffer: body))
    }

    /// Returns a value as JSON on one line.
    static func bytes(_ value: some Encodable) throws -> Data {
        try encoder().encode(value)
    }

    /// Returns the value of stored JSON; null if the text is invalid or deeper than stored values may be, which would
    /// take a second to read. Stored values may have more levels than request bodies, as the changes in the audit trail
    /// do.
    static func value(_ text: String) -> JSONValue {
        guard (try? JSONScanner.check(text, rules: .kept)) != nil else { return .null }
        return (try? FoundationEssentials.JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null
    }

    /// Decodes an object. An error names the member at fault.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer) throws(APIError) -> Value {
        switch read(type, from: body, with: FoundationEssentials.JSONDecoder()) {
        case .success(let value): return value
        case .failure(.fault(let fault)): throw .invalidJSON(fault.message, param: fault.param)
        case .failure(.refused(let error)): throw error
        }
    }

    /// Decodes an object with a given decoder.
    ///
    /// The scanner and the decoder read the same bytes, and cannot disagree on them. The scanner accepts only UTF-8,
    /// which is then the only encoding that the decoder detects. It accepts only the grammar of RFC 8259, which the
    /// decoder accepts unchanged. Where the RFC leaves a choice, for members of the same name, the scanner refuses the
    /// text.
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

/// The reason why a JSON text was refused.
enum JSONRefusal: Error {
    /// The text is not JSON, or does not have the expected shape.
    case fault(JSONFault)
    /// A member has a value that is not allowed.
    case refused(APIError)
}

/// The fault of a JSON text, in its author's terms. Of the text itself, it contains at most names of members.
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

    /// Returns the name of the member at fault: `labels` for anything inside it, and `requests[2].ip` for a member of
    /// an object in an array. Nil for the body itself.
    static func member(at path: [any CodingKey]) -> String? {
        guard let first = path.first, first.intValue == nil else { return nil }
        guard path.count > 2, let number = path[1].intValue, path[2].intValue == nil else { return first.stringValue }
        return "\(first.stringValue)[\(number)].\(path[2].stringValue)"
    }

    /// Returns two names of a member: the `param` of an error, and the text for its message. Below a member of free
    /// form, only the text contains the inner name.
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
