import AuthKeysPostgres

/// The statements of admin keys.
enum AdminKeySQL {
    /// The advisory lock of changes of admin keys ("keyadmin" as a number). It prevents two concurrent changes from
    /// removing the last admin keys together.
    static let lockKey: Int64 = 0x6B65_7961_646D_696E

    static let lock = "SELECT pg_advisory_xact_lock($1)"

    static let columns = """
        a.id, a.name, a.permissions, a.owner, a.expires_at, a.last_four, a.deactivated_at, a.created_at, a.updated_at, \
        a.last_used_at, a.version
        """

    static let key = "SELECT \(columns) FROM admin_keys a WHERE a.id = $1"

    static let hold = key + " FOR UPDATE"

    static let list = """
        SELECT \(columns) FROM admin_keys a
        WHERE \(OwnerSQL.isInScope("a.owner", "$1"))
            AND ($2::timestamptz IS NULL OR a.created_at < $2 OR a.created_at = $2 AND (a.name, a.id) > ($3, $4))
        ORDER BY a.created_at DESC, a.name, a.id LIMIT $5
        """

    /// Records the use once a minute. A refused attempt does not count as use.
    static let use = """
        WITH used AS (
            UPDATE admin_keys SET last_used_at = clock_timestamp()
            WHERE digest = $1 AND permissions && $2::text[] AND deactivated_at IS NULL
                AND (expires_at IS NULL OR expires_at > clock_timestamp())
                AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
        )
        SELECT \(columns) FROM admin_keys a WHERE a.digest = $1
        """

    /// Fails if the database is incomplete: in the middle of a restore, an empty table says nothing about the admin
    /// keys.
    static let byDigest =
        "SELECT a.digest, \(columns) FROM admin_keys a RIGHT JOIN (SELECT require_whole_database('auth_keys'::regclass)) w ON true"

    static let create = """
        INSERT INTO admin_keys AS a (id, name, permissions, owner, expires_at, digest, last_four)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        RETURNING \(columns)
        """

    static let update = """
        UPDATE admin_keys AS a
        SET name = $2, permissions = $3, expires_at = $4, version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        RETURNING \(columns)
        """

    static let deactivate = """
        UPDATE admin_keys AS a
        SET deactivated_at = clock_timestamp(), version = version + 1, updated_at = clock_timestamp()
        WHERE id = $1
        RETURNING \(columns)
        """

    /// All admin keys that may be able to administer admin keys.
    static let administrators = """
        SELECT \(columns) FROM admin_keys a
        WHERE a.deactivated_at IS NULL AND a.owner IS NULL AND 'admin' = ANY (a.permissions)
        """

    /// Restores deactivations that the database lost, as `EndSQL` does for keys.
    static let writeBack = """
        WITH held AS (
            SELECT id FROM admin_keys WHERE id = ANY ($1::uuid[]) AND deactivated_at IS NULL ORDER BY id FOR UPDATE
        ), a AS (
            UPDATE admin_keys a SET deactivated_at = clock_timestamp(), version = version + 1, updated_at = clock_timestamp()
            FROM held WHERE a.id = held.id RETURNING a.*
        )
        INSERT INTO audit_events (actor, address, request_id, action, key_id, owner, outcome, changes)
        SELECT 'system', '', '', 'admin_key.deactivate', a.id, a.owner, 'done', jsonb_build_object(
            'active', jsonb_build_object('from', true, 'to', false), 'reason', \(EndSQL.reason))
        FROM a
        """
}
