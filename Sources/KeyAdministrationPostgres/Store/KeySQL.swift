import AuthKeysPostgres

/// The statements of the store.
enum KeySQL {
    /// One row per key, with its newest secret, and the previous one while it is valid.
    static let keyColumns = """
        k.id, \(AttributeColumn.ofKey), \(creditColumns), s.prefix, s.last_four, p.expires_at, p.prefix, p.last_four, p.last_used_at, \
        s.last_used_at, u.last_used_at, u.last_address, u.last_agent, u.requests, k.deactivated_at, k.created_at, \
        k.updated_at, k.version
        """

    /// Looked up key by key: OFFSET 0 prevents the planner from joining whole tables for one page.
    static let secretsOfKey = """
        LEFT JOIN LATERAL (
            SELECT \(SecretSQL.shownPrefix) AS prefix, last_four, last_used_at FROM auth_key_secrets
            LEFT JOIN auth_key_secret_usage USING (digest)
            WHERE auth_key_secrets.key_id = k.id ORDER BY created_at DESC LIMIT 1
        ) s ON true
        LEFT JOIN LATERAL (
            SELECT \(SecretSQL.shownPrefix) AS prefix, last_four, expires_at, last_used_at FROM auth_key_secrets
            LEFT JOIN auth_key_secret_usage USING (digest)
            WHERE auth_key_secrets.key_id = k.id ORDER BY created_at DESC OFFSET 1 LIMIT 1
        ) p ON p.expires_at > clock_timestamp()
        LEFT JOIN LATERAL (SELECT * FROM auth_key_usage WHERE key_id = k.id OFFSET 0) u ON true
        LEFT JOIN LATERAL (SELECT * FROM auth_key_credits WHERE key_id = k.id AND k.has_credits OFFSET 0) c ON true
        """

    static let key = "SELECT \(keyColumns) FROM auth_keys k \(secretsOfKey) WHERE k.id = $1"

    static let hold = key + " FOR UPDATE OF k"

    /// Creates many keys in one statement, so that one commit serves all callers that arrived meanwhile.
    static let create = """
        WITH input AS MATERIALIZED (
            SELECT *, clock_timestamp() AS at
            FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], \(AttributeColumn.batchArrays(from: 11)))
                AS t (id, digest, prefix, last_four, actor, actor_name, address, request_id, changes, credits,
                    \(AttributeColumn.names))
        ), keys AS (
            INSERT INTO auth_keys (id, created_at, updated_at, \(AttributeColumn.names))
            SELECT id, at, at, \(AttributeColumn.batchValues) FROM input
            RETURNING id, created_at
        ), secrets AS (
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
            SELECT digest, id, prefix, last_four, at FROM input
        ), credits AS (
            \(createCredits("input"))
        ), trail AS (
            INSERT INTO audit_events (actor, actor_name, address, request_id, action, key_id, owner, outcome, changes)
            SELECT actor, actor_name, address, request_id, 'key.create', id, owner, 'done', changes::jsonb FROM input
        )
        SELECT id, created_at FROM keys
        """

    static let update = "UPDATE auth_keys SET \(AttributeColumn.assignments(from: 2)) WHERE id = $1"

    static let delete = "DELETE FROM auth_keys WHERE id = $1"

    /// The entries of a deleted key's secrets.
    static let buried = "SELECT \(EntryRow.tombstoneColumns) FROM auth_key_tombstones WHERE key_id = $1"

    /// Adds a secret, which updates the key's stamp. The previous secret expires after the grace period, unless it
    /// expires earlier. Older ones expire now, and those that expired a month ago are deleted.
    static let rotate = """
        WITH live AS (
            SELECT digest, row_number() OVER (ORDER BY created_at DESC, digest) AS age FROM auth_key_secrets
            WHERE key_id = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp())
        ), ended AS (
            UPDATE auth_key_secrets s SET expires_at = LEAST(
                s.expires_at,
                clock_timestamp() + CASE WHEN live.age = 1 THEN make_interval(secs => $6) ELSE interval '0' END)
            FROM live WHERE live.digest = s.digest
        ), gone AS (
            DELETE FROM auth_key_secrets WHERE key_id = $1 AND expires_at < clock_timestamp() - interval '30 days'
        )
        INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, rotation_id) VALUES ($2, $1, $3, $4, $5)
        """

    /// The digest of a key's newest secret, and the microseconds since its rotation, or -1 if no rotation
    /// created it.
    static let newestSecret = """
        SELECT digest, CASE WHEN rotation_id IS NULL THEN -1
            ELSE GREATEST(0, extract(epoch FROM clock_timestamp() - created_at) * 1000000)::int8 END
        FROM auth_key_secrets WHERE key_id = $1 ORDER BY created_at DESC, digest LIMIT 1
        """

    /// Expires all secrets except the newest. Secrets that expired within the last hour are expired again, for
    /// instances whose clock is behind. The parameters from $2 on are `AuditSQL.parameters(of:)` of the call.
    static let endPreviousSecrets = """
        WITH k AS (
            SELECT id, owner FROM auth_keys WHERE id = $1 AND \(OwnerSQL.isInScope("owner", "$6"))
        ), previous AS (
            SELECT s.digest, \(SecretSQL.redactedValue) AS redacted_value,
                s.expires_at IS NULL OR s.expires_at > clock_timestamp() AS is_good
            FROM k JOIN auth_key_secrets s ON s.key_id = k.id
            WHERE (s.expires_at IS NULL OR s.expires_at > clock_timestamp() - interval '1 hour') AND s.digest <> (
                SELECT digest FROM auth_key_secrets WHERE key_id = $1 ORDER BY created_at DESC LIMIT 1)
        ), ended AS (
            UPDATE auth_key_secrets s SET expires_at = LEAST(s.expires_at, clock_timestamp())
            FROM previous WHERE s.digest = previous.digest
        ), trail AS (
            INSERT INTO audit_events (actor, actor_name, address, request_id, action, key_id, owner, outcome, changes)
            SELECT $2, $3, $4, $5, 'key.end_previous_secret', k.id, k.owner, 'done', jsonb_build_object(
                'previous_secret', jsonb_build_object(
                    'from', (SELECT max(redacted_value) FROM previous WHERE is_good), 'to', NULL))
            FROM k WHERE EXISTS (SELECT FROM previous WHERE is_good)
        )
        SELECT id FROM k
        """

    /// The parameters from $2 on are `AuditSQL.parameters(of:)` of the call.
    static let deactivate = """
        WITH k AS (
            UPDATE auth_keys SET deactivated_at = clock_timestamp()
            WHERE id = $1 AND deactivated_at IS NULL AND \(OwnerSQL.isInScope("owner", "$6"))
            RETURNING *
        ), trail AS (
            INSERT INTO audit_events (actor, actor_name, address, request_id, action, key_id, owner, outcome, changes)
            SELECT $2, $3, $4, $5, 'key.deactivate', k.id, k.owner, 'done', jsonb_build_object(
                'deactivated_at', jsonb_build_object('from', NULL, 'to',
                    to_char(k.deactivated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
            FROM k
        )
        SELECT \(EntryRow.secretColumns) FROM k LEFT JOIN auth_key_secrets s ON s.key_id = k.id
        """

    static let entriesOfKey = """
        SELECT \(EntryRow.secretColumns) FROM auth_keys k LEFT JOIN auth_key_secrets s ON s.key_id = k.id WHERE k.id = $1
        """

    /// The entries of a key in a scope of owners.
    static let entriesOfOwnersKey = entriesOfKey + " AND " + OwnerSQL.isInScope("k.owner", "$2")

    static let claim = """
        INSERT INTO idempotency_claims (claim, request, key_id, rotation_id) VALUES ($1, $2, $3, $4) ON CONFLICT (claim) DO NOTHING
        """

    static let claimed = "SELECT request, key_id, rotation_id FROM idempotency_claims WHERE claim = $1"

    static let forgetClaim = "DELETE FROM idempotency_claims WHERE claim = $1"

    static let forgetClaims =
        "DELETE FROM idempotency_claims WHERE created_at < clock_timestamp() - interval '24 hours'"
}
