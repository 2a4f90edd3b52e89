/// The statements that record usage. Rows are locked in the order of key, day and digest, and all rows of a key in one
/// transaction.
enum UsageSQL {
    /// Fails if the database is incomplete: a row written in the middle of a restore would conflict with the restored
    /// one.
    static let requireWhole = "SELECT require_whole_database('auth_keys'::regclass)"

    /// Updates only existing rows. A key has its usage row from creation to deletion, so a missing row belongs to a
    /// deleted key and is not created again.
    static let recordKeys = """
        WITH t AS (
            SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::int8[])
                AS t (key_id, last_used_at, address, agent, requests)
        ), held AS (
            SELECT u.key_id FROM auth_key_usage u WHERE u.key_id = ANY ($1) ORDER BY u.key_id FOR NO KEY UPDATE
        )
        UPDATE auth_key_usage u SET
            last_used_at = GREATEST(u.last_used_at, t.last_used_at),
            last_address = CASE WHEN u.last_used_at > t.last_used_at THEN u.last_address
                ELSE COALESCE(t.address, u.last_address) END,
            last_agent = CASE WHEN u.last_used_at > t.last_used_at THEN u.last_agent
                ELSE COALESCE(t.agent, u.last_agent) END,
            requests = u.requests + t.requests
        FROM held JOIN t USING (key_id) WHERE u.key_id = held.key_id
        """

    static let recordSecrets = """
        INSERT INTO auth_key_secret_usage AS u (digest, key_id, last_used_at, requests)
        SELECT t.* FROM unnest($1::bytea[], $2::uuid[], $3::timestamptz[], $4::int8[])
            AS t (digest, key_id, last_used_at, requests)
        WHERE \(isHeld) ORDER BY t.key_id, t.digest
        ON CONFLICT (digest) DO UPDATE SET
            last_used_at = GREATEST(u.last_used_at, excluded.last_used_at), requests = u.requests + excluded.requests
        """

    static let recordDays = """
        INSERT INTO auth_key_usage_days AS u (key_id, day, digest, requests)
        SELECT t.key_id, date '1970-01-01' + t.day::int4, t.digest, t.requests
        FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::int8[]) AS t (key_id, day, digest, requests)
        WHERE \(isHeld) ORDER BY t.key_id, t.day, t.digest
        ON CONFLICT (key_id, day, digest) DO UPDATE SET requests = u.requests + excluded.requests
        """

    /// True if the usage row of a key `t.key_id` exists. `recordKeys` then has it locked: a deletion of the key waits
    /// for it before it reads the other rows.
    private static let isHeld = "EXISTS (SELECT FROM auth_key_usage h WHERE h.key_id = t.key_id)"
}
