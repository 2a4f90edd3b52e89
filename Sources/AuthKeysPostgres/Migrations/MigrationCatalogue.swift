import Crypto

/// A migration that is embedded in the binary.
public struct Migration: Sendable, Equatable {
    /// The number at the beginning of the file name.
    public let version: Int32
    /// The file name without number and extension.
    public let name: String
    /// The text of the file.
    public let sql: String
    /// A statement for all the locks that the migration has to wait for. The runner executes it first (`LOCK`). Nil if
    /// the file does so itself.
    public let locks: String?

    /// The SHA-256 of the file.
    public var checksum: [UInt8] { Array(SHA256.hash(data: Array(sql.utf8))) }

    public init(version: Int32, name: String, locks: String? = nil, sql: String) {
        self.version = version
        self.name = name
        self.locks = locks
        self.sql = sql
    }
}

/// The files of `migrations/`, in order. Embedded files cannot be enumerated, so this list names them. A test compares
/// it with the folder.
public enum MigrationCatalogue {
    public static let all: [Migration] = [
        Migration(version: 1, name: "auth_keys", sql: text(PackageResources._001_auth_keys_sql)),
        Migration(version: 2, name: "update_and_rotation", sql: text(PackageResources._002_update_and_rotation_sql)),
        Migration(version: 3, name: "policy", sql: text(PackageResources._003_policy_sql)),
        Migration(version: 4, name: "usage", sql: text(PackageResources._004_usage_sql)),
        Migration(version: 5, name: "list", sql: text(PackageResources._005_list_sql)),
        Migration(version: 6, name: "import", sql: text(PackageResources._006_import_sql)),
        Migration(
            version: 7, name: "admin_keys_and_audit", sql: text(PackageResources._007_admin_keys_and_audit_sql)),
        Migration(version: 8, name: "last_used", sql: text(PackageResources._008_last_used_sql)),
        Migration(version: 9, name: "fixed_search_path", sql: text(PackageResources._009_fixed_search_path_sql)),
        Migration(version: 10, name: "stamps_and_seals", sql: text(PackageResources._010_stamps_and_seals_sql)),
        Migration(version: 11, name: "list_by_use", sql: text(PackageResources._011_list_by_use_sql)),
        Migration(
            version: 12, name: "list_by_use_filled", sql: text(PackageResources._012_list_by_use_filled_sql)),
        Migration(version: 13, name: "list_by_use_only", sql: text(PackageResources._013_list_by_use_only_sql)),
        Migration(version: 14, name: "own_functions", sql: text(PackageResources._014_own_functions_sql)),
        Migration(
            version: 15, name: "label_values", locks: "LOCK TABLE auth_keys IN SHARE MODE",
            sql: text(PackageResources._015_label_values_sql)),
        Migration(
            version: 16, name: "label_values_only", locks: "LOCK TABLE auth_keys IN ACCESS EXCLUSIVE MODE",
            sql: text(PackageResources._016_label_values_only_sql)),
        Migration(
            version: 17, name: "feed_epochs", locks: "LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE",
            sql: text(PackageResources._017_feed_epochs_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
