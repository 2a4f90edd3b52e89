/// The statements that restore revocations and expiries that the database lost. Each changes only keys that are still
/// active. Of several instances with the same knowledge, one writes the change, and there is one audit event.
package enum EndSQL {
    package static let reason = "jsonb_build_object('from', NULL, 'to', 'the database had lost this')"

    static let deactivate = """
        WITH held AS (
            SELECT id FROM auth_keys WHERE id = ANY ($1::uuid[]) AND deactivated_at IS NULL
            ORDER BY id FOR UPDATE SKIP LOCKED
        ), k AS (
            UPDATE auth_keys k SET deactivated_at = clock_timestamp() FROM held WHERE k.id = held.id RETURNING k.*
        )
        INSERT INTO audit_events (actor, address, request_id, action, key_id, owner, outcome, changes)
        SELECT 'system', '', '', 'key.deactivate', k.id, k.owner, 'done', jsonb_build_object(
            'deactivated_at', jsonb_build_object('from', NULL, 'to',
                to_char(k.deactivated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')),
            'reason', \(reason))
        FROM k
        """

    /// Locks the key first, like every statement that changes a secret.
    static let endSecrets = """
        WITH ended AS (
            SELECT digest, CASE WHEN at = 'epoch' THEN clock_timestamp() ELSE at END AS at
            FROM unnest($1::bytea[], $2::timestamptz[]) AS t (digest, at)
        ), held AS (
            SELECT k.id, k.owner FROM auth_keys k
            WHERE k.id IN (SELECT s.key_id FROM auth_key_secrets s JOIN ended USING (digest))
            ORDER BY k.id FOR UPDATE SKIP LOCKED
        ), s AS (
            UPDATE auth_key_secrets s SET expires_at = LEAST(s.expires_at, ended.at) FROM ended
            WHERE s.digest = ended.digest AND (s.expires_at IS NULL OR s.expires_at > ended.at + interval '1 millisecond')
                AND s.key_id IN (SELECT id FROM held)
            RETURNING s.*
        )
        INSERT INTO audit_events (actor, address, request_id, action, key_id, owner, outcome, changes)
        SELECT 'system', '', '', 'key.end_previous_secret', held.id, held.owner, 'done', jsonb_build_object(
            'previous_secret', jsonb_build_object('from', \(SecretSQL.redactedValue), 'to', NULL), 'reason', \(reason))
        FROM s JOIN held ON held.id = s.key_id
        """
}
