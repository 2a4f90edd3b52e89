/// The parameters of one statement in the form that libpq requires: all bytes in one buffer, with the offset and length
/// of each value.
struct EncodedParameters: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var types: [UInt32] = []
    /// The offset of each value in `bytes`; nil for NULL.
    private(set) var offsets: [Int?] = []
    private(set) var lengths: [Int32] = []

    /// The limit of the protocol, which counts parameters in 16 bits (libpq, `PQ_QUERY_PARAM_MAX_LIMIT`).
    static let maximumCount = 65535

    init(_ parameters: [PostgresParameter]) throws(PostgresError) {
        guard parameters.count <= Self.maximumCount else {
            throw PostgresError(.invalidParameter, detail: "more than 65535 parameters", nothingWasSent: true)
        }
        types.reserveCapacity(parameters.count)
        offsets.reserveCapacity(parameters.count)
        lengths.reserveCapacity(parameters.count)
        for (index, parameter) in parameters.enumerated() {
            var encoder = ParameterEncoder(position: index + 1, bytes: bytes)
            bytes = []
            let start = encoder.bytes.count
            try encoder.append(parameter)
            bytes = encoder.bytes
            guard let length = Int32(exactly: bytes.count - start) else {
                throw PostgresError(
                    .invalidParameter, detail: "parameter \(index + 1) is too large", nothingWasSent: true)
            }
            types.append(parameter.type)
            offsets.append(parameter == .null ? nil : start)
            lengths.append(length)
        }
        // An empty value at the end still needs an address.
        bytes.append(0)
    }
}

/// An encoder of values in PostgreSQL's binary formats, big-endian (`typsend` functions of the server).
private struct ParameterEncoder {
    let position: Int
    var bytes: [UInt8]

    mutating func append(_ parameter: PostgresParameter) throws(PostgresError) {
        switch parameter {
        case .null: break
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .int16(let value): append(integer: value)
        case .int32(let value): append(integer: value)
        case .int64(let value): append(integer: value)
        case .double(let value): append(integer: value.bitPattern)
        case .text(let value): try append(text: value)
        case .bytes(let value): bytes.append(contentsOf: value)
        case .uuid(let value): append(uuid: value)
        case .timestamp(let value): try append(timestamp: value)
        case .xid8(let value): append(integer: value)
        case .jsonb(let value):
            bytes.append(1)
            try append(text: value)
        case .textArray(let values):
            try append(array: values, of: PostgresType.text) { (encoder, value) throws(PostgresError) in
                try encoder.append(text: value)
            }
        case .bytesArray(let values):
            try append(array: values, of: PostgresType.bytea) { (encoder, value) throws(PostgresError) in
                encoder.bytes.append(contentsOf: value)
            }
        case .uuidArray(let values):
            try append(array: values, of: PostgresType.uuid) { (encoder, value) throws(PostgresError) in
                encoder.append(uuid: value)
            }
        case .int64Array(let values):
            try append(array: values, of: PostgresType.int8) { (encoder, value) throws(PostgresError) in
                encoder.append(integer: value)
            }
        case .doubleArray(let values):
            try append(array: values, of: PostgresType.float8) { (encoder, value) throws(PostgresError) in
                encoder.append(integer: value.bitPattern)
            }
        case .timestampArray(let values):
            try append(array: values, of: PostgresType.timestamptz) { (encoder, value) throws(PostgresError) in
                try encoder.append(timestamp: value)
            }
        }
    }

    private mutating func append(integer: some FixedWidthInteger) {
        withUnsafeBytes(of: integer.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func append(uuid: PostgresUUID) {
        append(integer: uuid.high)
        append(integer: uuid.low)
    }

    private mutating func append(text: String) throws(PostgresError) {
        guard !text.utf8.contains(0) else { throw invalid("contains a NUL character") }
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func append(timestamp: Int64) throws(PostgresError) {
        let (value, overflow) = timestamp.subtractingReportingOverflow(PostgresType.epochMicroseconds)
        // PostgreSQL uses the smallest and the largest number for its infinities.
        guard !overflow, value != .min, value != .max else { throw invalid("is out of the range of timestamps") }
        append(integer: value)
    }

    /// Encodes an array for `array_recv`: dimensions, a flag for NULLs, the element type, then size and lower bound of
    /// the one dimension.
    private mutating func append<Element>(
        array values: [Element?], of type: UInt32,
        element: (inout ParameterEncoder, Element) throws(PostgresError) -> Void
    ) throws(PostgresError) {
        guard let count = Int32(exactly: values.count) else { throw invalid("is too large") }
        append(integer: Int32(count == 0 ? 0 : 1))
        append(integer: Int32(values.contains { $0 == nil } ? 1 : 0))
        append(integer: type)
        if count > 0 {
            append(integer: count)
            append(integer: Int32(1))
        }
        for value in values {
            let lengthAt = bytes.count
            append(integer: Int32(-1))
            guard let value else { continue }
            try element(&self, value)
            guard let length = Int32(exactly: bytes.count - lengthAt - 4) else { throw invalid("is too large") }
            withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(lengthAt..<(lengthAt + 4), with: $0) }
        }
    }

    private func invalid(_ what: String) -> PostgresError {
        PostgresError(.invalidParameter, detail: "parameter \(position) \(what)", nothingWasSent: true)
    }
}
