package import AuthKeys
package import LibPQ

extension RowCursor {
    package mutating func nextID() throws(PostgresError) -> KeyID { KeyID(try nextUuid()) }

    package mutating func nextMoment() throws(PostgresError) -> Timestamp {
        Timestamp(microseconds: try nextTimestampOrInfinity())
    }

    /// Reads like `nextMoment`, with nil for NULL.
    package mutating func nextOptionalMoment() throws(PostgresError) -> Timestamp? {
        try nextOptionalTimestampOrInfinity().map { Timestamp(microseconds: $0) }
    }
}

extension PostgresParameter {
    /// Returns the parameter of a text; NULL for nil.
    package static func optional(_ text: String?) -> PostgresParameter { text.map { .text($0) } ?? .null }

    /// Returns the parameter of a time; NULL for nil.
    package static func optional(_ moment: Timestamp?) -> PostgresParameter {
        moment.map { .timestamp(microsecondsSinceUnixEpoch: $0.microseconds) } ?? .null
    }
}

extension KeyID {
    package init(_ uuid: PostgresUUID) {
        self.init(high: uuid.high, low: uuid.low)
    }
}

extension PostgresUUID {
    package init(_ id: KeyID) {
        self.init(high: id.high, low: id.low)
    }
}
