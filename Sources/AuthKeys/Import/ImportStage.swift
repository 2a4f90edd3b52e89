/// Where the keys of one import wait, out of everybody's sight, until all are there and checked.
public protocol ImportStage: Sendable {
    /// Takes keys in, in the order of their lines.
    func add(_ keys: [ImportedKey]) async throws(StoreError)

    /// Takes out what repeats a secret or an id that there is already, or that came on an earlier line, under another scheme too as
    /// far as that is known (`ImportedSecret.elsewhere`). A secret of a key that was deleted counts too: its end is for good.
    func removeDuplicates(naming limit: Int) async throws(StoreError) -> ImportDuplicates

    /// Makes keys of what is there, with their schemes, and says how many. Not to be called twice.
    func keep(schemes: [TokenScheme], by call: AdminCall) async throws(StoreError) -> Int
}

/// What was there already.
public struct ImportDuplicates: Sendable, Equatable {
    public var count: Int
    /// The first of them, by line.
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
    /// Whether the line has a token rather than a digest.
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
