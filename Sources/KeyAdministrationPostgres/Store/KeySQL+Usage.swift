import AuthKeysPostgres

/// The statements of reports about usage.
extension KeySQL {
    static let usageOfKey = """
        SELECT u.last_used_at, u.last_address, u.last_agent, u.requests
        FROM auth_keys k LEFT JOIN auth_key_usage u ON u.key_id = k.id WHERE k.id = $1
        """

    static let usageOfSecrets = """
        SELECT s.digest, \(SecretSQL.shownPrefix), s.last_four, s.created_at, s.expires_at, u.last_used_at, u.requests
        FROM auth_key_secrets s LEFT JOIN auth_key_secret_usage u ON u.digest = s.digest
        WHERE s.key_id = $1 ORDER BY s.created_at DESC, s.digest
        """

    static let usageByDay = """
        SELECT digest, (day - date '1970-01-01')::int8, requests FROM auth_key_usage_days
        WHERE key_id = $1 AND day > (now() AT TIME ZONE 'UTC')::date - $2::int4 ORDER BY day DESC
        """

    /// Days are kept for a little more than a year.
    static let forgetDays = """
        DELETE FROM auth_key_usage_days WHERE day < (now() AT TIME ZONE 'UTC')::date - 400
        """
}
