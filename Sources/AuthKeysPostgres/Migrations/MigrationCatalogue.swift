import Crypto

/// A migration that ships in the binary.
public struct Migration: Sendable, Equatable {
    /// The number that the file's name begins with.
    public let version: Int32
    /// The file's name without number and ending.
    public let name: String
    /// The file's text.
    public let sql: String
    /// A statement for all the locks that it has to wait for, which the runner takes in front (`LOCK`); nil where the file sees to that.
    public let locks: String?

    /// SHA-256 of the file.
    public var checksum: [UInt8] { Array(SHA256.hash(data: Array(sql.utf8))) }

    public init(version: Int32, name: String, locks: String? = nil, sql: String) {
        self.version = version
        self.name = name
        self.locks = locks
        self.sql = sql
    }
}

/// The files of `migrations/`, in order. Embedded files cannot be enumerated, so this list names them; a test compares it
/// with the folder.
public enum MigrationCatalogue {
    public static let all: [Migration] = [
        Migration(version: 1, name: "keyward", sql: text(PackageResources._001_keyward_sql))
    ]

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
