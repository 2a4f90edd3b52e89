/// The statements of an import. The staging table belongs to the transaction: filling it writes no WAL, leaves nothing
/// behind and blocks no other session.
extension KeySQL {
    /// Without an idle timeout: an import lasts as long as its lines take to arrive. The reader of the lines limits
    /// that time.
    static let createStage = """
        SET LOCAL idle_in_transaction_session_timeout = 0;
        CREATE TEMPORARY TABLE import_stage (
            line int8, id uuid, digest bytea, prefix text, last_four text, is_token text, created_at timestamptz,
            updated_at timestamptz, deactivated_at timestamptz, credits text,
            \(AttributeColumn.batchTable)
        ) ON COMMIT DROP;
        CREATE TEMPORARY TABLE import_elsewhere (line int8, digest bytea) ON COMMIT DROP
        """

    static let stage = """
        INSERT INTO import_stage SELECT * FROM unnest($1::int8[], $2::uuid[], $3::bytea[], $4::text[], $5::text[],
            $6::text[], $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::text[],
            \(AttributeColumn.batchArrays(from: 11)))
        """

    static let stageElsewhere = "INSERT INTO import_elsewhere SELECT * FROM unnest($1::int8[], $2::bytea[])"

    static let analyzeStage = "ANALYZE import_stage (line, id, digest), import_elsewhere"

    /// Removes the keys that already exist, and returns the first of them with their total number. The reasons are
    /// those of `ImportDuplicate.Reason`.
    static let removeDuplicates = """
        WITH found AS (
            SELECT line, 1 AS reason FROM import_stage JOIN auth_key_secrets USING (digest)
            UNION ALL SELECT line, 1 FROM import_elsewhere JOIN auth_key_secrets USING (digest)
            UNION ALL SELECT line, 2 FROM import_stage JOIN auth_key_tombstones USING (digest)
            UNION ALL SELECT line, 2 FROM import_elsewhere JOIN auth_key_tombstones USING (digest)
            UNION ALL SELECT line, 3 FROM (
                SELECT line, row_number() OVER (PARTITION BY digest ORDER BY line) AS place FROM import_stage
            ) s WHERE place > 1
            UNION ALL SELECT GREATEST(e.line, i.line), 3 FROM import_elsewhere e JOIN import_stage i USING (digest)
            WHERE e.line <> i.line
            UNION ALL SELECT line, 4 FROM import_stage i JOIN auth_keys k ON k.id = i.id
            UNION ALL SELECT line, 5 FROM (
                SELECT line, row_number() OVER (PARTITION BY id ORDER BY line) AS place FROM import_stage
            ) s WHERE place > 1
        ), first AS (
            SELECT line, min(reason)::int2 AS reason FROM found GROUP BY line
        ), gone AS (
            DELETE FROM import_stage i USING first WHERE i.line = first.line
            RETURNING i.line, first.reason, i.is_token::boolean
        )
        SELECT line, reason, is_token, count(*) OVER () FROM gone ORDER BY line LIMIT $1
        """

    /// In the order of the ids, so that two imports of the same keys wait for each other without a deadlock.
    static let keepKeys = """
        INSERT INTO auth_keys (id, created_at, updated_at, deactivated_at, \(AttributeColumn.names))
        SELECT id, created_at, updated_at, deactivated_at, \(AttributeColumn.batchValues) FROM import_stage ORDER BY id
        """

    /// In the order of the digests, which is the order of their index. No secret is from the future by the database's
    /// clock, because a key's newest secret is the one that was created last.
    static let keepSecrets = """
        INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four, created_at, whole_prefix)
        SELECT digest, id, prefix, last_four, LEAST(created_at, clock_timestamp()), true FROM import_stage ORDER BY digest
        """

    static let keepCredits = createCredits("import_stage") + " ORDER BY id"

    static let keepSchemes = """
        INSERT INTO auth_key_schemes (prefix, algorithm, part) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
        ON CONFLICT DO NOTHING
        """
}
