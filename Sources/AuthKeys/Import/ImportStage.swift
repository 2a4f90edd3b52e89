/// A stage that holds the keys of one import, invisible to other sessions, until all are present and checked.
public protocol ImportStage: Sendable {
    /// Adds keys in the order of their lines.
    func add(_ keys: [ImportedKey]) async throws(StoreError)

    /// Removes keys that repeat a known secret or id, or one of an earlier line. Other schemes count too, as far as
    /// they are known (`ImportedSecret.elsewhere`). The secret of a deleted key also counts: its revocation is
    /// permanent.
    func removeDuplicates(naming limit: Int) async throws(StoreError) -> ImportDuplicates

    /// Stores the staged keys and their schemes, and returns their number. Must be called at most once.
    func keep(schemes: [TokenScheme], by call: AdminCall) async throws(StoreError) -> Int
}

/// The duplicates of an import.
public struct ImportDuplicates: Sendable, Equatable {
    public var count: Int
    /// The first duplicates, by line.
    public var first: [ImportDuplicate]

    public init(count: Int = 0, first: [ImportDuplicate] = []) {
        self.count = count
        self.first = first
    }
}

public struct ImportDuplicate: Sendable, Equatable {
    public enum Reason: Int16, Sendable, CaseIterable {
        case knownSecret = 1
        case deletedSecret, repeatedSecret, knownID, repeatedID
    }

    public let line: Int
    public let reason: Reason
    /// True if the line has a token rather than a digest.
    public let isToken: Bool

    public init(line: Int, reason: Reason, isToken: Bool) {
        self.line = line
        self.reason = reason
        self.isToken = isToken
    }

    var problem: ImportProblem {
        let secret = isToken ? "token" : "digest"
        switch reason {
        case .knownSecret: return ImportProblem(line: line, param: secret, message: "a key with this secret exists")
        case .deletedSecret:
            return ImportProblem(line: line, param: secret, message: "this secret belonged to a key that was deleted")
        case .repeatedSecret:
            return ImportProblem(line: line, param: secret, message: "an earlier line has the same secret")
        case .knownID: return ImportProblem(line: line, param: "id", message: "a key with this id exists")
        case .repeatedID: return ImportProblem(line: line, param: "id", message: "an earlier line has the same id")
        }
    }
}
