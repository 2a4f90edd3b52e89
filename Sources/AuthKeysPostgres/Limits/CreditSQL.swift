/// The statements about credits. Rows are locked in the order of their keys.
package enum CreditSQL {
    /// Debits and leases units after a due refill, and returns what is left.
    ///
    /// A lease is at most the instance's share, and at most 1 % of what is left or 1,000 units, but it covers the cost
    /// of the requests that need it. Nothing is leased that is not there, so only a debit of what was spent already
    /// makes the balance negative.
    static let lease = """
        WITH q AS MATERIALIZED (
            SELECT *, clock_timestamp() AS now FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[],
                $5::float8[]) AS t (key_id, debit, want, needed, share)
        ), held AS MATERIALIZED (
            SELECT c.* FROM auth_key_credits c WHERE c.key_id = ANY ($1) ORDER BY c.key_id FOR NO KEY UPDATE
        ), filled AS MATERIALIZED (
            SELECT c.key_id, c.spent + q.debit AS spent, q.want, q.needed, q.share, q.now,
                \(remaining("c", at: "q.now")) - q.debit AS remaining, \(due("c", at: "q.now")) > 0 AS is_refilled
            FROM q JOIN held c USING (key_id)
        ), done AS MATERIALIZED (
            SELECT *, CASE WHEN want <= 0 THEN greatest(want, -spent) WHEN remaining < 1 THEN 0
                ELSE least(want, remaining, greatest(needed, least(greatest(1, floor(remaining * share)::int8),
                    greatest(1000, remaining / 100)))) END AS granted
            FROM filled
        )
        UPDATE auth_key_credits c SET remaining = d.remaining - d.granted, spent = d.spent + d.granted,
            refilled_at = CASE WHEN d.is_refilled THEN greatest(c.refilled_at, d.now) ELSE c.refilled_at END
        FROM done d WHERE c.key_id = d.key_id
        RETURNING c.key_id, d.granted, c.remaining,
            extract(epoch FROM \(CalendarSQL.end("c.refill_every", day: "c.refill_day", at: "d.now")) - d.now)::float8
        """

    /// The units that are left in a row after the refills that are due.
    /// - Parameters:
    ///   - row: the name of a row of `auth_key_credits`.
    ///   - now: an expression of the current time.
    package static func remaining(_ row: String, at now: String) -> String {
        """
        CASE WHEN \(row).refill_every IS NULL OR \(due(row, at: now)) = 0 THEN \(row).remaining
            WHEN \(row).refill_adds THEN greatest(\(row).remaining, least(
                COALESCE(\(row).refill_maximum, 9223372036854775807),
                \(row).remaining + \(row).refill_amount * \(due(row, at: now))))
            ELSE \(row).refill_amount END
        """
    }

    /// The number of refills that are due; NULL without a refill.
    package static func due(_ row: String, at now: String) -> String {
        CalendarSQL.count("\(row).refill_every", day: "\(row).refill_day", from: "\(row).refilled_at", to: now)
    }
}
