/// The result of an import.
package struct ImportReportJSON: Codable, Sendable {
    package struct Problem: Codable, Sendable {
        package let line: Int
        package let param: String?
        package let message: String

        package init(line: Int, param: String?, message: String) {
            self.line = line
            self.param = param
            self.message = message
        }
    }

    package let imported: Int
    package let failed: Int
    package let dryRun: Bool
    package let errors: [Problem]
    /// True if there were more errors than are listed.
    package let errorsTruncated: Bool

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case imported, failed, errors
        case dryRun = "dry_run"
        case errorsTruncated = "errors_truncated"
    }

    package init(imported: Int, failed: Int, dryRun: Bool, errors: [Problem], errorsTruncated: Bool) {
        self.imported = imported
        self.failed = failed
        self.dryRun = dryRun
        self.errors = errors
        self.errorsTruncated = errorsTruncated
    }
}
