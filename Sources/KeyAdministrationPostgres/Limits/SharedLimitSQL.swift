import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

/// The statements about limits that several keys have, and about the levels of limits.
struct SharedLimitSQL {
    private let table: String
    private let name: String

    init(_ holder: LimitHolder) {
        (table, name) =
            switch holder {
            case .plan: ("limit_plans", "name")
            case .owner: ("owner_limits", "owner")
            }
    }

    private var columns: String { "\(name), description, limits, created_at, updated_at, version" }

    var all: String { "SELECT \(columns) FROM \(table) ORDER BY \(name)" }
    var one: String { "SELECT \(columns) FROM \(table) WHERE \(name) = $1" }
    var hold: String { one + " FOR UPDATE" }
    var insert: String {
        "INSERT INTO \(table) (\(name), description, limits) VALUES ($1, $2, $3) RETURNING \(columns)"
    }
    var update: String {
        "UPDATE \(table) SET description = $2, limits = $3 WHERE \(name) = $1 RETURNING \(columns)"
    }
    var delete: String { "DELETE FROM \(table) WHERE \(name) = $1" }

    /// Finds out if a key that is not deactivated names a plan.
    static let isUsed = "SELECT EXISTS (SELECT FROM auth_keys WHERE plan = $1 AND deactivated_at IS NULL)"

    /// The levels of limits: `$1` ids, `$2` kinds, `$3` rates in units per second, `$4` calendar periods. In their
    /// order.
    static let levels = """
        SELECT COALESCE(CASE t.kind
                WHEN 'rate' THEN greatest(0, l.level - t.rate * greatest(0, extract(epoch FROM t.now - l.at))::float8)
                WHEN 'quota' THEN CASE WHEN q.at < \(CalendarSQL.start("t.period", at: "t.now")) THEN 0 ELSE q.level END
                ELSE (SELECT sum(s.slots) FROM limit_slots s WHERE s.id = t.id AND s.at > t.now - interval '10 seconds')::float8
                END, 0),
            extract(epoch FROM \(CalendarSQL.end("t.period", at: "t.now")) - t.now)::float8
        FROM (
            SELECT *, statement_timestamp() AS now
            FROM unnest($1::uuid[], $2::text[], $3::float8[], $4::text[]) WITH ORDINALITY t (id, kind, rate, period, place)
        ) t
        LEFT JOIN limit_levels l ON l.id = t.id
        LEFT JOIN limit_quotas q ON q.id = t.id
        ORDER BY t.place
        """

    /// Gives all units back. The demand stays.
    static func reset(_ kind: LimitRule.Kind) -> String {
        let table = if case .quota = kind { "limit_quotas" } else { "limit_levels" }
        return "UPDATE \(table) SET level = 0, full_at = at WHERE id = $1"
    }

    /// Updates the stamp of a key, so that its entry reaches all instances.
    static let stamp = "UPDATE auth_keys SET updated_at = clock_timestamp() WHERE id = $1"

    /// Changes what is left of credits, after the refills that are due: adds `$3`, which may be negative, if `$2` is
    /// true, or sets it.
    static let changeCredits = """
        UPDATE auth_key_credits c SET refilled_at = greatest(c.refilled_at, statement_timestamp()),
            remaining = CASE WHEN $2 THEN greatest(least(0, \(left)), least(\(LimitRule.unitLimit), \(left) + $3))
                ELSE $3 END
        WHERE key_id = $1
        """

    /// The balance after the refills that are due. Below zero, it is a debt, which an addition pays first.
    private static let left = "(\(CreditSQL.remaining("c", at: "statement_timestamp()")))"
}

extension SharedLimits {
    /// Reads `SharedLimitSQL.one`. Limits that were corrupted by hand are left out: the keys of such a plan are closed
    /// until its limits are set again.
    init(row: inout RowCursor, holder: (String) -> LimitHolder) throws(PostgresError) {
        let (name, description) = (try row.nextText(), try row.nextText())
        let limits = LimitText.limits(try row.nextJsonb()) ?? []
        self.init(
            holder: holder(name), content: Content(description: description, limits: limits),
            createdAt: try row.nextMoment(), updatedAt: try row.nextMoment(), version: try row.nextInt64())
    }
}
