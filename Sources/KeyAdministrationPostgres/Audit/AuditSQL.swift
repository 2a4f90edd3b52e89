import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// The statements of the audit trail.
enum AuditSQL {
    /// The advisory lock of sealing ("keyaudit" as a number).
    static let lockKey: Int64 = 0x6B65_7961_7564_6974

    /// The columns of an event, in the order that `AuditEvent` decodes.
    static let columns = """
        e.id, e.at, e.xid, e.actor, e.actor_name, e.address, e.request_id, e.action, e.key_id, e.owner, e.outcome, e.code, \
        e.changes
        """

    static let sealColumns = "s.seq, s.event_id, s.hash, s.sealed_at, s.horizon, s.history"

    static let append = """
        INSERT INTO audit_events (\(RuntimeGrants.auditColumns))
        SELECT actor, actor_name, address, request_id, action, key_id, owner, CASE WHEN code IS NULL THEN 'done' ELSE 'refused' END,
            code, changes::jsonb
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::text[])
            AS t (actor, actor_name, address, request_id, action, key_id, owner, code, changes)
        """

    static func parameters(of events: [NewAuditEvent]) -> [PostgresParameter] {
        [
            .textArray(events.map(\.actor.text)), .textArray(events.map(\.actor.name)),
            .textArray(events.map(\.origin.address)), .textArray(events.map(\.origin.requestID)),
            .textArray(events.map(\.action.rawValue)),
            .uuidArray(events.map { $0.subject.map { PostgresUUID($0) } }), .textArray(events.map(\.owner)),
            .textArray(events.map(\.refusal)), .textArray(events.map { $0.changes.json.text }),
        ]
    }

    static func append(_ events: [NewAuditEvent]) -> PostgresStatement {
        PostgresStatement(append, parameters(of: events))
    }

    /// Returns the parameters that describe the caller. They come last in a statement that changes a key and also
    /// writes its event.
    static func parameters(of call: AdminCall) -> [PostgresParameter] {
        [
            .text(call.admin.actor.text), .optional(call.admin.actor.name), .text(call.origin.address),
            .text(call.origin.requestID), .optional(call.admin.owner),
        ]
    }

    static func events(_ query: AuditQuery) -> (sql: String, parameters: [PostgresParameter]) {
        var conditions: [String] = []
        var parameters: [PostgresParameter] = []
        func bind(_ parameter: PostgresParameter) -> String {
            parameters.append(parameter)
            return "$\(parameters.count)"
        }
        func bind(_ moment: Timestamp) -> String { bind(.timestamp(microsecondsSinceUnixEpoch: moment.microseconds)) }
        if let after = query.after {
            let sign = query.oldestFirst ? ">" : "<"
            conditions.append("(e.at, e.id) \(sign) (\(bind(after.at)), \(bind(.int64(after.id))))")
        }
        if let actor = query.actor { conditions.append("e.actor = \(bind(.text(actor)))") }
        if let action = query.action { conditions.append("e.action = \(bind(.text(action.rawValue)))") }
        if let subject = query.subject { conditions.append("e.key_id = \(bind(.uuid(PostgresUUID(subject))))") }
        // A literal, so that the partial index on refused events can be used.
        if let refused = query.refused { conditions.append("e.outcome = '\(refused ? "refused" : "done")'") }
        if let owner = query.owner { conditions.append(OwnerSQL.matches("e.owner", owner, bind: bind)) }
        if let requestID = query.requestID { conditions.append("e.request_id = \(bind(.text(requestID)))") }
        if let since = query.since { conditions.append("e.at >= \(bind(since))") }
        if let until = query.until { conditions.append("e.at < \(bind(until))") }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let order = query.oldestFirst ? "e.at, e.id" : "e.at DESC, e.id DESC"
        let limit = bind(.int64(Int64(query.limit)))
        let sql = """
            SELECT s.seq, s.hash, \(columns) FROM (
                SELECT * FROM audit_events e \(filter) ORDER BY \(order) LIMIT \(limit)
            ) e LEFT JOIN audit_seals s ON s.event_id = e.id ORDER BY \(order)
            """
        return (sql, parameters)
    }

    static let lock = "SELECT pg_try_advisory_xact_lock($1)"

    /// The cluster, and the newest seal with the transaction of its event. Fails if the database is incomplete: a seal
    /// over a part of the restored events would break the chain.
    static let state = """
        SELECT c.system_identifier::text, e.xid, \(sealColumns)
        FROM (SELECT * FROM pg_control_system() WHERE require_whole_database('auth_keys'::regclass)) c
        LEFT JOIN LATERAL (SELECT * FROM audit_seals ORDER BY seq DESC LIMIT 1) s ON true
        LEFT JOIN audit_events e ON e.id = s.event_id
        """

    /// The next sealable events after a position. Some of them may already be sealed: events of another cluster, once
    /// transactions here reach the same numbers. OFFSET 0 forces a lookup for each event.
    static let sealable = """
        SELECT pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp(), true, \(columns)
        FROM audit_events e
        WHERE (e.xid, e.id) > ($1, $2) AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
            AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.event_id = e.id OFFSET 0)
        ORDER BY e.xid, e.id LIMIT $3
        """

    /// All unsealed events, each with a flag: true if it can be sealed, because its transaction is over or cannot
    /// belong to this cluster.
    static let unsealedAtAll = """
        SELECT pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp(),
            e.xid < pg_snapshot_xmin(pg_current_snapshot()) OR e.xid >= pg_snapshot_xmax(pg_current_snapshot()),
            \(columns)
        FROM audit_events e
        WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.event_id = e.id)
        ORDER BY e.id LIMIT $1
        """

    private static let seal = """
        INSERT INTO audit_seals (seq, event_id, hash, horizon, sealed_at, history)
        SELECT seq, event_id, hash, horizon::text::xid8, $5, $6
        FROM unnest($1::int8[], $2::int8[], $3::bytea[], $4::int8[]) AS t (seq, event_id, hash, horizon)
        """

    /// Returns the statement that stores seals made at one time in one cluster. A trigger refuses seals that do not
    /// continue the chain.
    static func keep(_ seals: [AuditSeal]) -> PostgresStatement {
        PostgresStatement(
            seal,
            [
                .int64Array(seals.map(\.sequence)), .int64Array(seals.map(\.event)),
                .bytesArray(seals.map(\.hash.bytes)), .int64Array(seals.map { Int64(bitPattern: $0.horizon) }),
                .timestamp(microsecondsSinceUnixEpoch: seals.last?.at.microseconds ?? 0),
                .text(seals.last?.history ?? ""),
            ])
    }

    static let sealed = """
        SELECT \(sealColumns), \(columns)
        FROM (SELECT * FROM audit_seals WHERE seq > $1 ORDER BY seq LIMIT $2) s
        LEFT JOIN audit_events e ON e.id = s.event_id
        ORDER BY s.seq
        """

    static let sealStates = """
        SELECT pg_snapshot_xmax(pg_current_snapshot()), s.event_id IS NOT NULL, \(columns)
        FROM (SELECT * FROM audit_events WHERE id > $1 ORDER BY id LIMIT $2) e
        LEFT JOIN audit_seals s ON s.event_id = e.id
        ORDER BY e.id
        """

    static let status = """
        SELECT pg_snapshot_xmin(pg_current_snapshot()), (SELECT system_identifier::text FROM pg_control_system()), clock_timestamp()
        """
}
