/// The statements of the store.
enum KeySQL {
    /// One row per key, with its newest secret, and the previous one while it is valid.
    static let keyColumns = """
        k.id, k.name, k.description, k.owner, k.scopes, k.enabled, k.expires_at, k.deactivated_at, k.created_at, \
        k.updated_at, k.version, s.prefix, s.last_four, k.labels, k.metadata, p.prefix, p.last_four, p.expires_at, k.not_before, \
        k.allowed_methods, k.allowed_paths, k.allowed_cidrs, k.report_only, u.last_used_at, u.last_address, \
        u.last_agent, u.requests, s.last_used_at, p.last_used_at
        """

    /// The full prefix of a secret, including the separator.
    static let shownPrefix = "CASE WHEN whole_prefix THEN prefix ELSE prefix || '_' END"

    /// The redacted value of `s`, a row of `auth_key_secrets`, as `AuthKey.redact` writes it.
    static let redactedValue =
        "(CASE WHEN s.whole_prefix THEN s.prefix ELSE s.prefix || '_' END) || '...' || s.last_four"

    /// Looked up key by key: OFFSET 0 prevents the planner from joining whole tables for one page.
    static let secretsOfKey = """
        LEFT JOIN LATERAL (
            SELECT \(shownPrefix) AS prefix, last_four, last_used_at FROM auth_key_secrets
            LEFT JOIN auth_key_secret_usage USING (digest)
            WHERE auth_key_secrets.key_id = k.id ORDER BY created_at DESC LIMIT 1
        ) s ON true
        LEFT JOIN LATERAL (
            SELECT \(shownPrefix) AS prefix, last_four, expires_at, last_used_at FROM auth_key_secrets
            LEFT JOIN auth_key_secret_usage USING (digest)
            WHERE auth_key_secrets.key_id = k.id ORDER BY created_at DESC OFFSET 1 LIMIT 1
        ) p ON p.expires_at > clock_timestamp()
        LEFT JOIN LATERAL (SELECT * FROM auth_key_usage WHERE key_id = k.id OFFSET 0) u ON true
        """

    /// One row per secret, in the form of the index. 8 is added to the state if the secret has its own expiry. A secret
    /// that expired before the last change of its key has the expiry 'epoch'. It is thus expired by every clock: that
    /// of any reader, and that of this server, which may not be the one that set the expiry.
    static let entryColumns = """
        s.digest, k.id, k.version, \
        (CASE WHEN k.deactivated_at IS NOT NULL THEN 3 WHEN NOT k.enabled THEN 2 ELSE 1 END \
            + CASE WHEN s.expires_at <= CASE WHEN 'expires_at' = ANY (k.report_only) THEN 'infinity' \
                ELSE COALESCE(k.expires_at, 'infinity') END THEN 8 ELSE 0 END)::int2 AS state, \
        LEAST(CASE WHEN 'expires_at' <> ALL (k.report_only) THEN k.expires_at END, \
            CASE WHEN s.expires_at <= k.updated_at THEN 'epoch' ELSE s.expires_at END) \
            AS expires_at, \
        k.name, k.owner, array_to_string(k.scopes, ' ') AS scopes, \
        CASE WHEN 'expires_at' = ANY (k.report_only) THEN k.expires_at END AS reported_expiry, k.not_before, \
        NULLIF(array_to_string(k.allowed_methods, E'\n'), '') AS methods, \
        NULLIF(array_to_string(k.allowed_paths, E'\n'), '') AS paths, \
        NULLIF(array_to_string(k.allowed_cidrs, E'\n'), '') AS cidrs, \
        NULLIF(array_to_string(k.report_only, E'\n'), '') AS report_only, \
        NULLIF(k.metadata, '{}')::text AS metadata
        """

    static let key = "SELECT \(keyColumns) FROM auth_keys k \(secretsOfKey) WHERE k.id = $1"

    static let hold = key + " FOR UPDATE OF k"

    /// The attributes of a key that admins set: the columns of `auth_keys`, the expressions for batches, and the batch
    /// arrays `$1` to `$13` (`PostgresParameter.attributes`).
    static let attributeColumns = """
        name, description, owner, scopes, labels, metadata, enabled, expires_at, not_before, allowed_methods, \
        allowed_paths, allowed_cidrs, report_only
        """

    static let attributeValues = """
        name, description, owner, string_to_array(scopes, ' '), labels::jsonb, metadata::jsonb, enabled::boolean, \
        expires_at, not_before, string_to_array(allowed_methods, E'\n'), string_to_array(allowed_paths, E'\n'), \
        string_to_array(allowed_cidrs, E'\n'), string_to_array(report_only, E'\n')
        """

    static let attributeArrays = """
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], \
        $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[]
        """

    /// Creates many keys in one statement, so that one commit serves all callers that arrived meanwhile.
    static let create = """
        WITH input AS MATERIALIZED (
            SELECT *, clock_timestamp() AS at
            FROM unnest(\(attributeArrays), $14::uuid[], $15::bytea[], $16::text[], $17::text[], $18::text[], $19::text[],
                $20::text[], $21::text[], $22::text[])
                AS t (\(attributeColumns), id, digest, prefix, last_four, actor, actor_name, address, request_id, changes)
        ), keys AS (
            INSERT INTO auth_keys (id, created_at, updated_at, \(attributeColumns))
            SELECT id, at, at, \(attributeValues) FROM input
            RETURNING id, created_at
        ), secrets AS (
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at)
            SELECT digest, id, prefix, last_four, at FROM input
        ), trail AS (
            INSERT INTO audit_events (actor, actor_name, address, request_id, action, key_id, owner, outcome, changes)
            SELECT actor, actor_name, address, request_id, 'key.create', id, owner, 'done', changes::jsonb FROM input
        )
        SELECT id, created_at FROM keys
        """

    static let update = """
        UPDATE auth_keys
        SET name = $2, description = $3, owner = $4, scopes = $5, labels = $6, metadata = $7, enabled = $8, expires_at = $9,
            not_before = $10, allowed_methods = $11, allowed_paths = $12, allowed_cidrs = $13, report_only = $14
        WHERE id = $1
        """

    static let delete = "DELETE FROM auth_keys WHERE id = $1"

    /// The entries of a deleted key's secrets.
    static let buried = """
        SELECT digest, key_id, version, 4::int2, NULL::timestamptz, '', NULL::text, '', NULL::timestamptz,
            NULL::timestamptz, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text
        FROM auth_key_tombstones
        WHERE key_id = $1
        """

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

    /// Expires all secrets except the newest. Secrets that expired within the last hour are expired again, for
    /// instances whose clock is behind. The parameters from $2 on are `AuditSQL.parameters(of:)` of the call.
    static let endPreviousSecrets = """
        WITH k AS (
            SELECT id, owner FROM auth_keys WHERE id = $1 AND \(OwnerSQL.isInScope("owner", "$6"))
        ), previous AS (
            SELECT s.digest, \(redactedValue) AS redacted_value,
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
        SELECT k.id, \(entryColumns) FROM k LEFT JOIN auth_key_secrets s ON s.key_id = k.id
        """

    static let entriesOfKey = """
        SELECT k.id, \(entryColumns) FROM auth_keys k LEFT JOIN auth_key_secrets s ON s.key_id = k.id WHERE k.id = $1
        """

    /// The entries of a key in a scope of owners.
    static let entriesOfOwnersKey = entriesOfKey + " AND " + OwnerSQL.isInScope("k.owner", "$2")

    static let find = """
        SELECT k.id, \(entryColumns) FROM auth_key_secrets s JOIN auth_keys k ON k.id = s.key_id
        WHERE s.digest = ANY ($1)
        """

    static let claim = """
        INSERT INTO idempotency_claims (claim, request, key_id, rotation_id) VALUES ($1, $2, $3, $4) ON CONFLICT (claim) DO NOTHING
        """

    static let claimed = "SELECT request, key_id, rotation_id FROM idempotency_claims WHERE claim = $1"

    static let forgetClaim = "DELETE FROM idempotency_claims WHERE claim = $1"

    static let forgetClaims =
        "DELETE FROM idempotency_claims WHERE created_at < clock_timestamp() - interval '24 hours'"

    /// Replaces transaction ids from the future. They occur after a dump is restored, where ids begin again. Such rows
    /// would be read again forever, and would hide changes.
    static let restamp = """
        WITH future AS (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid), keys AS (
            UPDATE auth_keys SET changed_xid = pg_current_xact_id() WHERE changed_xid > (SELECT xid FROM future)
        )
        UPDATE auth_key_tombstones SET changed_xid = pg_current_xact_id() WHERE changed_xid > (SELECT xid FROM future)
        """
}
