/// The fields of an HTTP/2 message as bytes, in order, pseudo-headers included.
struct FieldSection {
    /// A field ends at the start of the next one.
    private struct Line {
        let start: Int
        let nameEnd: Int
        let end: Int
    }

    private var bytes: [UInt8] = []
    private var lines: [Line] = []

    /// Appends a field.
    mutating func append(_ name: some Sequence<UInt8>, _ value: some Sequence<UInt8>) {
        let start = bytes.count
        bytes.append(contentsOf: name)
        let nameEnd = bytes.count
        bytes.append(contentsOf: value)
        lines.append(Line(start: start, nameEnd: nameEnd, end: bytes.count))
    }

    /// Calls `body` with the name and the value of each field. They are valid only during the call.
    func forEachField<E: Error>(
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        let result: Result<Void, E> = bytes.withUnsafeBytes { bytes in
            do throws(E) {
                for line in lines {
                    try body(bytes.part(line.start..<line.nameEnd), bytes.part(line.nameEnd..<line.end))
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}

extension FieldSection {
    /// A builder for a received section that checks each field as bytes (RFC 9113 section 8.2.1). Names are tokens in
    /// lower case or known pseudo-headers, which come first. Values contain no control characters, and neither begin
    /// nor end with white space.
    struct Builder {
        private let limit: Int
        private var section = FieldSection()
        private var size = 0
        /// The size of all fields, including those after a fault.
        private var decoded = 0
        private var fault: HeadError?
        private var hasPlainField = false

        init(limit: Int) {
            self.limit = limit
        }

        /// True until the first field.
        var isEmpty: Bool { decoded == 0 }

        /// True if the section is so large that it is not even decoded to keep the table in step.
        var isExcessive: Bool { decoded > 4 * limit }

        var result: Result<FieldSection, HeadError> { fault.map { .failure($0) } ?? .success(section) }

        /// Appends the next field. After a fault, fields are no longer kept.
        mutating func append(_ field: [UInt8], nameLength: Int) {
            decoded += field.count + 32
            size = min(size + field.count + 32, limit + 1)
            guard fault == nil else { return }
            guard size <= limit else {
                fault = .tooLarge
                return
            }
            let isValid = field.withUnsafeBytes { bytes in
                isName(bytes.part(0..<nameLength)) && isValue(bytes.part(nameLength..<bytes.count))
            }
            guard isValid else {
                fault = .malformed
                return
            }
            section.append(field[..<nameLength], field[nameLength...])
        }

        private func isValue(_ value: UnsafeRawBufferPointer) -> Bool {
            if let first = value.first, let last = value.last,
                [first, last].contains(where: { $0 == 0x20 || $0 == 0x09 })
            {
                return false
            }
            return value.allSatisfy(ByteClass.isFieldContent)
        }

        private mutating func isName(_ name: UnsafeRawBufferPointer) -> Bool {
            if name.first == ByteClass.colon { return !hasPlainField && PseudoField(name) != nil }
            hasPlainField = true
            return !name.isEmpty && name.allSatisfy { ByteClass.isToken($0) && !(0x41...0x5A).contains($0) }
        }
    }
}

/// The pseudo-headers of requests and of responses (RFC 9113 sections 8.3.1 and 8.3.2).
enum PseudoField {
    case method, scheme, authority, path, status

    init?(_ name: UnsafeRawBufferPointer) {
        func matches(_ text: StaticString) -> Bool {
            name.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        switch name.count {
        case 5 where matches(":path"): self = .path
        case 7 where matches(":method"): self = .method
        case 7 where matches(":scheme"): self = .scheme
        case 7 where matches(":status"): self = .status
        case 10 where matches(":authority"): self = .authority
        default: return nil
        }
    }
}
