public import LibPQ

/// A privilege on a table that a role lacks.
public struct MissingRight: Sendable {
    /// The table.
    public let table: String
    /// The privilege as in `GRANT`, with columns if it concerns columns.
    public let right: String
    /// False if the role does not find the table at all.
    public let exists: Bool

    /// The privilege and the table, as in `GRANT`.
    public var text: String { "\(right) on \(table)" }

    /// Compares the privileges of the connection's role with those of `RuntimeGrants`.
    /// - Parameter isWanted: returns false for a privilege that is not needed.
    public static func all(
        _ purpose: RuntimeGrants.Purpose, on connection: PostgresConnection,
        where isWanted: (String) -> Bool = { _ in true }
    ) async throws(PostgresError) -> [MissingRight] {
        let wanted = purpose.tables.flatMap { table in
            rights(in: table.rights).filter(isWanted).map { (table: table.name, right: $0) }
        }
        return try await connection.query(
            """
            SELECT name, wanted, to_regclass(name) IS NOT NULL
            FROM unnest($1::text[], $2::text[]) AS t (name, wanted)
            WHERE COALESCE(CASE WHEN wanted LIKE '%(%'
                THEN has_any_column_privilege(to_regclass(name), split_part(wanted, ' ', 1))
                ELSE has_table_privilege(to_regclass(name), wanted) END, false) IS FALSE
            """,
            [.textArray(wanted.map(\.table)), .textArray(wanted.map(\.right))]
        ).rows.map { row throws(PostgresError) in
            MissingRight(table: try row.text(0), right: try row.text(1), exists: try row.bool(2))
        }
    }

    /// Splits `SELECT, INSERT (a, b)` into its privileges.
    static func rights(in list: String) -> [String] {
        var rights: [String] = []
        var current = ""
        var isInColumns = false
        for character in list {
            if character == "(" { isInColumns = true }
            if character == ")" { isInColumns = false }
            if character == ",", !isInColumns {
                rights.append(current)
                current = ""
            } else if !current.isEmpty || character != " " {
                current.append(character)
            }
        }
        return rights + [current]
    }
}
