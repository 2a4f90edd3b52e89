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
///
/// SwiftPM names the bytes of `0001_keyward.sql` `_001_keyward_sql`: an identifier cannot begin with a digit.
public enum MigrationCatalogue {
    public static let all: [Migration] = [
        Migration(version: 1, name: "keyward", sql: text(PackageResources._001_keyward_sql)),
        Migration(version: 2, name: "request_log", sql: text(PackageResources._002_request_log_sql)),
        Migration(version: 3, name: "instances", sql: text(PackageResources._003_instances_sql)),
        Migration(
            version: 4, name: "limits", locks: "LOCK TABLE auth_keys IN ACCESS EXCLUSIVE MODE",
            sql: text(PackageResources._004_limits_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
