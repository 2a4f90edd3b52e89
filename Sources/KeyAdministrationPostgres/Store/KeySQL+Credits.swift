import AuthKeys
import AuthKeysPostgres
import LibPQ

/// The statements about the credits of keys, which are in a table of their own. `auth_keys.has_credits` tells if a key
/// has a row there.
extension KeySQL {
    private static let columns = "remaining, refill_amount, refill_every, refill_day, refill_adds, refill_maximum"

    /// The credits `c` of a key, in the order that `KeyCredits.init(row:)` reads them.
    static let creditColumns = """
        \(CreditSQL.remaining("c", at: "statement_timestamp()")), c.refill_amount, c.refill_every, c.refill_day, \
        c.refill_adds, c.refill_maximum
        """

    /// The values of `columns` in the JSON text of `KeyCredits`.
    private static func values(_ json: String) -> String {
        """
        (\(json)::jsonb ->> 'remaining')::int8, (\(json)::jsonb #>> '{refill,amount}')::int8, \
        \(json)::jsonb #>> '{refill,every}', COALESCE((\(json)::jsonb #>> '{refill,day}')::int2, 1), \
        COALESCE(\(json)::jsonb #>> '{refill,mode}' = 'add', false), (\(json)::jsonb #>> '{refill,maximum}')::int8
        """
    }

    /// Returns the statement that inserts the credits of new keys.
    /// - Parameter table: a table with the columns `id` and `credits`.
    static func createCredits(_ table: String) -> String {
        """
        INSERT INTO auth_key_credits (key_id, \(columns))
        SELECT id, \(values("credits")) FROM \(table) WHERE credits IS NOT NULL
        """
    }

    /// Inserts or replaces the credits of a key. What is left stays unless `$3` is true, after the refills that were
    /// due.
    private static let setCredits = """
        INSERT INTO auth_key_credits AS c (key_id, \(columns)) VALUES ($1, \(values("$2::text")))
        ON CONFLICT (key_id) DO UPDATE SET
            remaining = CASE WHEN $3 THEN excluded.remaining
                ELSE \(CreditSQL.remaining("c", at: "statement_timestamp()")) END,
            refill_amount = excluded.refill_amount, refill_every = excluded.refill_every,
            refill_day = excluded.refill_day, refill_adds = excluded.refill_adds,
            refill_maximum = excluded.refill_maximum, refilled_at = greatest(c.refilled_at, statement_timestamp())
        """

    private static let removeCredits = "DELETE FROM auth_key_credits WHERE key_id = $1"

    /// Returns the statements that change the credits of a key.
    static func creditChanges(of id: KeyID, from before: KeyCredits?, to after: KeyCredits?) -> [PostgresStatement] {
        let key = PostgresParameter.uuid(PostgresUUID(id))
        if before == after { return [] }
        guard let after else { return [PostgresStatement(removeCredits, [key])] }
        return [
            PostgresStatement(
                setCredits, [key, .text(after.json.text), .bool(before?.remaining != after.remaining)])
        ]
    }
}

extension KeyCredits {
    /// Reads `KeySQL.creditColumns`. Returns nil if the key has none.
    init?(row: inout RowCursor) throws(PostgresError) {
        guard let remaining = try row.nextOptionalInt64() else {
            try row.skip(5)
            return nil
        }
        let (amount, every) = (try row.nextOptionalInt64(), try row.nextOptionalText())
        let (day, adds) = (try row.nextInt16(), try row.nextBool())
        let maximum = try row.nextOptionalInt64()
        var refill: Refill?
        if let amount, let every = every.flatMap({ CalendarPeriod(name: $0) }) {
            refill = Refill(amount, every: every, day: day, adds: adds, maximum: maximum)
        }
        self.init(remaining: min(max(0, remaining), LimitRule.unitLimit), refill: refill)
    }
}
