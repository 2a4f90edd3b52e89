import AuthKeys
import HTTPCredentials
import LibPQ
import RequestLog

/// The rows of `request_log` in the binary format of COPY.
enum CopyLine {
    static let statement = "COPY request_log (\(columns)) FROM STDIN (FORMAT binary)"

    private static let columns = """
        at, bytes_in, bytes_out, micros, id, key_id, upstream_micros, weight, instance, upstream, status, surface, \
        outcome, flags, method, path, query, code, address, agent, owner
        """
    private static let columnCount: Int16 = 21

    /// The usual number of bytes of a row, for reserving memory.
    static let usualSize = 320

    /// Appends the row of a line that `LogPrivacy` has cleaned.
    static func append(_ line: RequestLine, _ names: LogNames, to writer: inout CopyWriter) {
        writer.beginRow(fields: columnCount)
        writer.append(timestamp: line.at.microseconds)
        writer.append(line.bytesIn)
        writer.append(line.bytesOut)
        writer.append(line.microseconds)
        writer.append(PostgresUUID(high: line.id.high, low: line.id.low))
        if let key = line.keyID {
            writer.append(PostgresUUID(high: key.high, low: key.low))
        } else {
            writer.appendNull()
        }
        append(line.upstreamMicroseconds, to: &writer)
        writer.append(Int32(clamping: line.weight))
        writer.append(names.instance)
        append(names.upstream(line.upstream), to: &writer)
        writer.append(Int16(clamping: line.status))
        writer.append(Int16(line.surface.rawValue))
        writer.append(Int16(line.outcome.rawValue))
        writer.append(Int16(bitPattern: line.flags.rawValue))
        append(text: line.method, to: &writer)
        append(text: line.path, to: &writer)
        append(optional: line.query, to: &writer)
        if var code = line.code {
            code.withUTF8 { append(optional: UnsafeRawBufferPointer($0), to: &writer) }
        } else {
            writer.appendNull()
        }
        append(line.address, to: &writer)
        append(optional: line.agent, to: &writer)
        append(optional: line.owner, to: &writer)
    }

    private static func append(_ value: Int32?, to writer: inout CopyWriter) {
        if let value { writer.append(value) } else { writer.appendNull() }
    }

    /// Appends a text, and NULL for an empty one.
    private static func append(optional text: UnsafeRawBufferPointer, to writer: inout CopyWriter) {
        if text.isEmpty { writer.appendNull() } else { append(text: text, to: &writer) }
    }

    /// Appends a text. PostgreSQL refuses NUL and invalid UTF-8, and with them the whole COPY, so both are replaced.
    private static func append(text: UnsafeRawBufferPointer, to writer: inout CopyWriter) {
        if isPlain(text) { return writer.append(bytes: text) }
        let repaired = String(decoding: text, as: UTF8.self).unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: repaired)
        var valid = String(scalars)
        valid.withUTF8 { writer.append(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// Returns true if a text has only ASCII characters, and no NUL. The loop has no exit, so that the compiler can use
    /// vector instructions.
    private static func isPlain(_ text: UnsafeRawBufferPointer) -> Bool {
        var (all, least): (UInt8, UInt8) = (0, .max)
        for byte in text {
            all |= byte
            least = min(least, byte)
        }
        return all < 0x80 && least > 0
    }

    /// Appends an `inet`: family (2 or 3), bits of the network, 0, number of bytes, bytes (PostgreSQL,
    /// `src/backend/utils/adt/network.c`, `network_send`).
    private static func append(_ address: IPAddress?, to writer: inout CopyWriter) {
        guard let address else { return writer.appendNull() }
        if address.isV4 {
            let value = UInt64(2) << 56 | 32 << 48 | 4 << 32 | address.low & 0xFFFF_FFFF
            withUnsafeBytes(of: value.bigEndian) { writer.append(bytes: $0) }
        } else {
            let head = (UInt32(3) << 24 | 128 << 16 | 16).bigEndian
            withUnsafeTemporaryAllocation(byteCount: 20, alignment: 8) { bytes in
                bytes.storeBytes(of: head, as: UInt32.self)
                bytes.storeBytes(of: address.high.bigEndian, toByteOffset: 4, as: UInt64.self)
                bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 12, as: UInt64.self)
                writer.append(bytes: UnsafeRawBufferPointer(bytes))
            }
        }
    }
}
