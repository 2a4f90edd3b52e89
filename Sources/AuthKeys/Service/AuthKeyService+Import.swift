import Synchronization

extension AuthKeyService {
    /// Brings keys in, in batches of lines, one batch being read while the one before is staged. What is kept reaches this
    /// instance's index, as everybody's, with the change feed; until then its tokens are looked up.
    /// Only for admins of all owners' keys.
    /// - Parameter authorizeAgain: called when all is done but the commit; throws if the admin may not do that any more.
    /// - Throws: `AuthKeyError`, or what the lines or `authorizeAgain` throw: then nothing was kept.
    public func importKeys<Lines: AsyncSequence>(
        _ options: ImportOptions, lines: Lines, by call: AdminCall,
        authorizeAgain: @escaping @Sendable () async throws -> Void
    ) async throws -> ImportReport where Lines.Element == [ImportLine], Lines: Sendable {
        guard call.admin.owner == nil else { throw AuthKeyError.otherOwner }
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
            throw AuthKeyError(error)
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

/// One import at a time: each holds a connection for as long as its lines take to come.
final class ImportTurn: Sendable {
    private let isTaken = Atomic<Bool>(false)

    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }

    func giveBack() { isTaken.store(false, ordering: .releasing) }
}

/// The rules for the lines of one import.
private struct ImportChecks {
    private let known: Set<TokenScheme>
    private let now: Timestamp
    private let lifetimes: KeyLifetimes
    private(set) var newSchemes: Set<TokenScheme> = []
    private var prefixes: Set<String>
    private(set) var report = ImportReport()
    /// Lines that are good as far as they say themselves.
    private(set) var accepted = 0

    init(known: [TokenScheme], now: Timestamp, lifetimes: KeyLifetimes) {
        self.known = Set(known)
        prefixes = Set(known.map(\.prefix))
        self.now = now
        self.lifetimes = lifetimes
    }

    /// The keys of those lines that are good.
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
                throw ImportProblem(line: line.number, param: nil, message: "the line cannot be taken")
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
                    "there are \(TokenSchemes.limit) kinds of tokens (prefix, algorithm, part) already, and no more")
        }
        newSchemes.insert(scheme)
        prefixes.insert(scheme.prefix)
    }
}
