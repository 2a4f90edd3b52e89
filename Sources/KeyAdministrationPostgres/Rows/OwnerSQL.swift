import AuthKeys
import LibPQ

/// Conditions on columns that hold owners. The columns have the collation "C", so that all owners below `acme` lie
/// between `acme/` and `acme0` in an index: `0` is the character after `/`.
enum OwnerSQL {
    /// Returns a condition that is true for an owner that a filter matches.
    static func matches(_ column: String, _ filter: OwnerFilter, bind: (PostgresParameter) -> String) -> String {
        let path = bind(.text(filter.path))
        guard filter.includesBelow else { return "\(column) = \(path)" }
        // One range of the index, which also has owners such as `acme-x`, and a condition that excludes these.
        return """
            (\(column) >= \(path) AND \(column) < \(path) || '0' AND (\(column) = \(path) OR \(column) >= \(path) || '/'))
            """
    }

    /// The statement that finds out if a table has an owner below `$1`.
    static func hasBelow(_ table: String) -> String {
        "SELECT EXISTS (SELECT FROM \(table) WHERE \(isBelow("owner", "$1")))"
    }

    /// Returns a condition that is true for an owner of a scope. A scope of all owners is NULL.
    static func isInScope(_ column: String, _ scope: String) -> String {
        "(\(scope)::text IS NULL OR \(column) = \(scope) OR \(isBelow(column, scope)))"
    }

    private static func isBelow(_ column: String, _ path: String) -> String {
        "\(column) >= \(path) || '/' AND \(column) < \(path) || '0'"
    }
}
