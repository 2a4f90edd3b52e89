import AuthKeys

/// A time in a body: RFC 3339, or a number of seconds since 1970 if the decoder allows it.
struct Moment: Decodable, Equatable {
    /// The key in a decoder's user info that allows times as numbers.
    static let takesUnixSeconds = CodingUserInfoKey(rawValue: "takesUnixSeconds")

    let timestamp: Timestamp

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let param = decoder.codingPath.last?.stringValue ?? ""
        if decoder.takesUnixSeconds, let seconds = try? container.decode(Double.self) {
            let microseconds = (seconds * 1_000_000).rounded()
            guard let moment = Int64(exactly: microseconds).map(Timestamp.init), moment.isRepresentable else {
                throw APIError.validation("\(param) is not a number of seconds since 1970", param: param)
            }
            timestamp = moment
            return
        }
        let text = try container.decode(String.self)
        guard !text.isEmpty else { throw APIError.empty(param) }
        timestamp = try Timestamp(text, param: param)
    }
}

extension Timestamp {
    /// Reads a caller's time.
    init(_ text: some StringProtocol, param: String) throws(APIError) {
        do {
            try self.init(rfc3339: text)
        } catch {
            switch error {
            case .syntax:
                throw .validation(
                    "\(param) must be an RFC 3339 date and time with a zone, such as 2030-01-31T12:00:00Z", param: param
                )
            case .noSuchMoment: throw .validation("\(param) is a date and time that does not exist", param: param)
            }
        }
    }

    /// Reads a time in a query. An unencoded plus sign of an offset such as +02:00 is a space there, and is restored.
    init(inQuery text: String, param: String) throws(APIError) {
        try self.init(text.replacing(/[ ](?=\d\d:\d\d$)/, with: "+"), param: param)
    }
}

extension Decoder {
    /// True if times may be numbers.
    fileprivate var takesUnixSeconds: Bool { Moment.takesUnixSeconds.map { userInfo[$0] != nil } ?? false }
}
