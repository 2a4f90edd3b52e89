import AuthKeys
import NIOCore

/// The response field, or trailer, in which an upstream states the actual cost of a request.
public struct CostField: Sendable, Equatable {
    public static let rule = "the name of a response field, such as X-Cost, that has no other meaning"

    /// In small letters.
    private let name: [UInt8]

    /// Returns nil unless the text is the name of a field that may be a trailer, and that has no meaning to the
    /// gateway.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (1...128).contains(bytes.count), bytes.allSatisfy(ByteClass.isToken) else { return nil }
        name = bytes.map(ByteClass.lowercased)
        let isFree = name.withUnsafeBytes { bytes in
            let field = FieldLine(name: 0..<bytes.count, value: 0..<0, kind: FieldKind(bytes))
            return TrailerRule.passes(field, in: bytes) && !bytes.begins(with: "ratelimit")
        }
        guard isFree else { return nil }
    }

    /// The cost that a section of fields states.
    enum Reading: Equatable {
        case absent
        case cost(Int64)
        /// The value is not a number within the bounds, or the section has the field several times.
        case invalid
    }

    /// Returns true if a field has the name.
    @inline(__always)
    func matches(_ field: FieldLine, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard field.name.count == name.count, field.kind == .other else { return false }
        return zip(bytes.part(field.name), name).allSatisfy { ByteClass.lowercased($0) == $1 }
    }

    func read(_ fields: FieldLines, in bytes: UnsafeRawBufferPointer) -> Reading {
        var reading = Reading.absent
        for field in fields.lines where matches(field, in: bytes) {
            guard reading == .absent, let number = MessageFields.number(bytes.part(field.value)),
                number <= LimitReservation.costLimit
            else { return .invalid }
            reading = .cost(Int64(number))
        }
        return reading
    }

    /// Removes the field from trailers, which are complete lines, and returns the cost that it stated.
    func take(from trailers: inout ByteBuffer) -> Reading {
        guard trailers.readableBytes > 0 else { return .absent }
        var section = trailers
        section.writeStaticString("\r\n")
        var kept = ByteBuffer()
        let reading = section.withUnsafeReadableBytes { bytes -> Reading in
            var fields = FieldLines()
            // The decoder of the body has parsed the lines already.
            guard (try? fields.read(bytes, from: 0, limit: .max)) != nil else { return .invalid }
            let reading = read(fields, in: bytes)
            if reading == .absent { return .absent }
            for (index, field) in fields.lines.enumerated() where !matches(field, in: bytes) {
                kept.writeBytes(bytes.part(field.name.lowerBound..<fields.start(after: index, in: bytes)))
            }
            return reading
        }
        if reading != .absent { trailers = kept }
        return reading
    }
}
