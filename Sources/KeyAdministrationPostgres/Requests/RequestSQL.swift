import AuthKeys
import AuthKeysPostgres
import HTTPCredentials
import KeyAdministration
import LibPQ
import RequestLog

/// The statements that read the request log.
///
/// The indexes are `request_log_at`, `request_log_key` and `request_log_failed`, all of which have the lines of a
/// partition in the order of time. Partitions that a statement's bounds exclude are not read.
enum RequestSQL {
    /// A part of the log: lines from `start` on, before `end`, and before the position `before`.
    struct Range {
        var start: Timestamp?
        var end: Timestamp?
        var before: RequestCursor?
    }

    /// The columns of a line, in the order that `LoggedRequest` decodes.
    private static let columns = """
        r.at, r.id, r.key_id, k.name, r.owner, r.method, r.path, r.query, r.status, r.code, r.outcome, r.surface, r.micros, \
        r.upstream_micros::bigint, r.bytes_in, r.bytes_out, host(r.address), r.agent, u.name, i.name, r.flags, r.weight
        """

    /// Returns the statement of at most `limit` lines of a range, newest first.
    static func page(
        _ query: RequestQuery, _ range: Range, in scope: OwnerScope, limit: Int
    ) -> PostgresStatement {
        var bindings = Bindings()
        let conditions = conditions(query, range, &bindings)
        let count = bindings.add(.int64(Int64(limit)))
        let lines = """
            SELECT * FROM request_log r \(conditions) ORDER BY r.at DESC, r.id DESC LIMIT \(count)
            """
        return PostgresStatement(
            select(from: lines, in: scope, order: "r.at DESC, r.id DESC", &bindings), bindings.parameters)
    }

    /// Returns the statement of the newest positions of a range, newest first.
    static func positions(_ query: RequestQuery, _ range: Range, limit: Int) -> PostgresStatement {
        var bindings = Bindings()
        let conditions = conditions(query, range, &bindings)
        let count = bindings.add(.int64(Int64(limit)))
        return PostgresStatement(
            "SELECT r.at, r.id FROM request_log r \(conditions) ORDER BY r.at DESC, r.id DESC LIMIT \(count)",
            bindings.parameters)
    }

    /// Returns the statement of the lines with these positions, oldest first; nil if there are none.
    static func lines(at positions: [RequestCursor], in scope: OwnerScope) -> PostgresStatement? {
        let moments = positions.map(\.at)
        guard let first = moments.min(), let last = moments.max() else { return nil }
        var bindings = Bindings()
        let ids = bindings.add(.uuidArray(positions.map { PostgresUUID(high: $0.id.high, low: $0.id.low) }))
        var conditions = ["r.at >= \(bindings.add(first)) AND r.at <= \(bindings.add(last)) AND r.id = ANY (\(ids))"]
        if let owner = scope.owner {
            conditions.append(OwnerSQL.matches("r.owner", OwnerFilter(owner, includesBelow: true)) { bindings.add($0) })
        }
        let lines = "SELECT * FROM request_log r WHERE \(conditions.joined(separator: " AND "))"
        return PostgresStatement(select(from: lines, in: scope, order: "r.at, r.id", &bindings), bindings.parameters)
    }

    /// The time of the oldest line. PostgreSQL reads the partitions in order, and stops at the first one with a line.
    static let oldest = PostgresStatement("SELECT r.at FROM request_log r ORDER BY r.at LIMIT 1")

    private static func select(
        from lines: String, in scope: OwnerScope, order: String, _ bindings: inout Bindings
    ) -> String {
        // A key may belong to another owner by now, whose keys the admin must not see.
        let isVisible =
            scope.owner.map { owner in " AND \(OwnerSQL.isInScope("k.owner", bindings.add(.text(owner))))" } ?? ""
        return """
            SELECT \(columns) FROM (\(lines)) r
            LEFT JOIN auth_keys k ON k.id = r.key_id\(isVisible)
            LEFT JOIN request_log_names u ON u.id = r.upstream AND u.kind = 'upstream'
            LEFT JOIN request_log_names i ON i.id = r.instance AND i.kind = 'instance'
            ORDER BY \(order)
            """
    }

    private static func conditions(_ query: RequestQuery, _ range: Range, _ bindings: inout Bindings) -> String {
        var conditions: [String] = []
        if let start = range.start { conditions.append("r.at >= \(bindings.add(start))") }
        if let end = range.end { conditions.append("r.at < \(bindings.add(end))") }
        if let before = range.before {
            let (at, id) = (bindings.add(before.at), bindings.add(before.id))
            // The first condition is the bound of the index, and selects the partitions.
            conditions.append("r.at <= \(at) AND (r.at < \(at) OR r.id < \(id))")
        }
        conditions += filters(query, &bindings)
        return conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
    }

    private static func filters(_ query: RequestQuery, _ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        if let id = query.keyID { conditions.append("r.key_id = \(bindings.add(.uuid(PostgresUUID(id))))") }
        if let id = query.requestID { conditions.append("r.id = \(bindings.add(id))") }
        if let status = query.status { conditions += self.status(status, &bindings) }
        if let outcome = query.outcome {
            conditions.append("r.outcome = \(bindings.add(.int16(Int16(outcome.rawValue))))")
        }
        if let surface = query.surface {
            conditions.append("r.surface = \(bindings.add(.int16(Int16(surface.rawValue))))")
        }
        if let code = query.code { conditions.append("r.code = \(bindings.add(.text(code)))") }
        if let method = query.method { conditions.append("r.method = \(bindings.add(.text(method)))") }
        if let path = query.pathPrefix { conditions.append("starts_with(r.path, \(bindings.add(.text(path))))") }
        if let network = query.address {
            // Only equality can use the bloom filters of `request_log_bloom`.
            let isOne = network.prefixLength == network.address.bytes.count * 8
            let text = isOne ? "\(network.address)" : "\(network)"
            conditions.append("r.address \(isOne ? "=" : "<<=") \(bindings.add(.text(text)))::inet")
        }
        if let milliseconds = query.minimumMilliseconds {
            conditions.append("r.micros >= \(bindings.add(.int64(milliseconds * 1_000)))")
        }
        if let instance = query.instance {
            let name = bindings.add(.text(instance))
            conditions.append(
                "r.instance = (SELECT n.id FROM request_log_names n WHERE n.kind = 'instance' AND n.name = \(name))")
        }
        if let owner = query.owner { conditions.append(OwnerSQL.matches("r.owner", owner) { bindings.add($0) }) }
        return conditions
    }

    private static func status(_ range: StatusRange, _ bindings: inout Bindings) -> [String] {
        // The condition of the partial index, word for word.
        let index = range.isError ? ["r.status >= 400"] : []
        if range.lowest == range.highest { return index + ["r.status = \(bindings.add(.int16(range.lowest)))"] }
        return index + [
            "r.status >= \(bindings.add(.int16(range.lowest))) AND r.status <= \(bindings.add(.int16(range.highest)))"
        ]
    }
}

extension StatusRange {
    /// True if the index of errors has all lines with these statuses.
    var isError: Bool { lowest >= 400 }
}

extension Bindings {
    mutating func add(_ id: RequestID) -> String { add(.uuid(PostgresUUID(high: id.high, low: id.low))) }
}

extension LoggedRequest {
    /// Reads a row of `RequestSQL`.
    init(row: inout RowCursor) throws(PostgresError) {
        let at = try row.nextMoment()
        let id = try row.nextRequestID()
        let keyID = try row.nextOptionalUuid().map { KeyID($0) }
        let (keyName, owner) = (try row.nextOptionalText(), try row.nextOptionalText())
        let (method, path, query) = (try row.nextText(), try row.nextText(), try row.nextOptionalText())
        let (status, code) = (try row.nextInt16(), try row.nextOptionalText())
        let outcome = RequestOutcome(rawValue: UInt8(clamping: try row.nextInt16()))
        let surface = RequestSurface(rawValue: UInt8(clamping: try row.nextInt16()))
        self.init(at: at, id: id, method: method, path: path, status: status, outcome: outcome, surface: surface)
        (self.keyID, self.keyName, self.owner, self.query, self.code) = (keyID, keyName, owner, query, code)
        microseconds = try row.nextInt64()
        upstreamMicroseconds = try row.nextOptionalInt64()
        bytesIn = try row.nextInt64()
        bytesOut = try row.nextInt64()
        address = try row.nextOptionalText()
        agent = try row.nextOptionalText()
        upstream = try row.nextOptionalText()
        instance = try row.nextOptionalText()
        flags = RequestFlags(rawValue: UInt16(bitPattern: try row.nextInt16()))
        weight = try row.nextInt32()
    }
}

extension RequestCursor {
    /// Reads a row of `RequestSQL.positions`.
    init(row: inout RowCursor) throws(PostgresError) {
        self.init(at: try row.nextMoment(), id: try row.nextRequestID())
    }
}

extension RowCursor {
    fileprivate mutating func nextRequestID() throws(PostgresError) -> RequestID {
        let id = try nextUuid()
        return RequestID(high: id.high, low: id.low)
    }
}
