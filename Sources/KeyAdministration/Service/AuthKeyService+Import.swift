import AuthKeys
import Synchronization

extension AuthKeyService {
    /// Imports keys in batches of lines; one batch is read while the previous one is staged. The imported keys reach
    /// the index of each instance, including this one, with the change feed. Until then their tokens are looked up. The
    /// call is only for admins of all owners' keys.
    /// - Parameter authorizeAgain: called before the commit; throws if the admin is no longer authorized.
    /// - Throws: `AuthKeyError`, or an error of the lines or of `authorizeAgain`; then nothing is stored.
    public func importKeys<Lines: AsyncSequence>(
        _ options: ImportOptions, lines: Lines, by call: AdminCall,
        authorizeAgain: @escaping @Sendable () async throws -> Void
    ) async throws -> ImportReport where Lines.Element == [ImportLine], Lines: Sendable {
        guard call.admin.owner == nil else { throw AuthKeyError.allOwners }
        guard importTurn.take() else { throw AuthKeyError.conflict(.importRunning) }
        defer { importTurn.giveBack() }
        do {
            let (report, schemes) = try await store.stageImport { stage in
                var checks = ImportChecks(known: index.schemes.all, now: time.now(), lifetimes: lifetimes)
                var iterator = lines.makeAsyncIterator()
                var keys = try await iterator.next().map { checks.check($0) }
                while let current = keys {
                    async let staged: Void = stage.add(current)
                    keys = try await iterator.next().map { checks.check($0) }
                    try await staged
                }
                let finished = try await finish(checks, options, on: stage, by: call)
                try await authorizeAgain()
                return finished
            }
            index.schemes.add(schemes)
            return report
        } catch let error as StoreError {
            throw AuthKeyError.store(error)
        }
    }

    private func finish(
        _ checks: ImportChecks, _ options: ImportOptions, on stage: any ImportStage, by call: AdminCall
    ) async throws -> (ImportReport, Set<TokenScheme>) {
        var report = checks.report
        let duplicates = try await stage.removeDuplicates(naming: ImportReport.problemLimit)
        report.note(duplicates)
        guard report.failed == 0 || options.mode == .skip else { return (report, []) }
        if options.isDryRun {
            report.imported = checks.accepted - duplicates.count
            return (report, [])
        }
        report.imported = try await stage.keep(schemes: Array(checks.newSchemes), by: call)
        return (report, checks.newSchemes)
    }
}

/// Limits an instance to one import at a time, because each holds a connection until its lines have arrived.
final class ImportTurn: Sendable {
    private let isTaken = Atomic<Bool>(false)

    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }

    func giveBack() { isTaken.store(false, ordering: .releasing) }
}

/// The checks of the lines of one import.
private struct ImportChecks {
    private let known: Set<TokenScheme>
    private let now: Timestamp
    private let lifetimes: KeyLifetimes
    private(set) var newSchemes: Set<TokenScheme> = []
    private var prefixes: Set<String>
    private(set) var report = ImportReport()
    /// The number of lines that are valid by themselves.
    private(set) var accepted = 0

    init(known: [TokenScheme], now: Timestamp, lifetimes: KeyLifetimes) {
        self.known = Set(known)
        prefixes = Set(known.map(\.prefix))
        self.now = now
        self.lifetimes = lifetimes
    }

    /// Returns the keys of the valid lines.
    mutating func check(_ lines: [ImportLine]) -> [ImportedKey] {
        var keys: [ImportedKey] = []
        keys.reserveCapacity(lines.count)
        for line in lines {
            do {
                keys.append(try check(line))
            } catch {
                report.note(error)
            }
        }
        accepted += keys.count
        return keys
    }

    private mutating func check(_ line: ImportLine) throws(ImportProblem) -> ImportedKey {
        let request = try line.content.get()
        do throws(AuthKeyError) {
            let key = try request.checked(
                line: line.number, now: now, lifetimes: lifetimes, prefixes: prefixes)
            if let scheme = key.scheme { try learn(scheme) }
            return key
        } catch {
            guard case .invalid(let param, let message) = error else {
                throw ImportProblem(line: line.number, param: nil, message: "the line cannot be imported")
            }
            throw ImportProblem(line: line.number, param: param, message: message)
        }
    }

    private mutating func learn(_ scheme: TokenScheme) throws(AuthKeyError) {
        guard !known.contains(scheme), !newSchemes.contains(scheme) else { return }
        guard known.count + newSchemes.count < TokenSchemes.limit else {
            throw .invalid(
                param: "prefix",
                message:
                    "there must be at most \(TokenSchemes.limit) kinds of tokens (prefix, algorithm, part)")
        }
        newSchemes.insert(scheme)
        prefixes.insert(scheme.prefix)
    }
}
