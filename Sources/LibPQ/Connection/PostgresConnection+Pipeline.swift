import CLibPQ

extension PostgresConnection {
    private struct PreparedCall {
        let sql: String
        let parameters: EncodedParameters
        var key: StatementCache.Key { StatementCache.Key(sql: sql, types: parameters.types) }
    }

    /// Runs statements in one pipeline with one sync. The caller owns the connection.
    func run(
        _ statements: [PostgresStatement], in transaction: PostgresTransaction? = nil, deadline: Deadline
    ) async throws(PostgresError) -> [PostgresResult] {
        var calls: [PreparedCall] = []
        calls.reserveCapacity(statements.count)
        for statement in statements {
            try Self.check(sql: statement.sql)
            calls.append(PreparedCall(sql: statement.sql, parameters: try EncodedParameters(statement.parameters)))
        }
        guard !calls.isEmpty else { return [] }
        try await acquireTurn(.wire, deadline)
        defer { endTurn(.wire) }
        try transaction?.check()
        var deadline = deadline
        let isAlone = session?.isIdle == true
        // Behind a pooler, a new transaction first applies the session's settings.
        let preamble =
            settings.isPooled && isAlone
            ? try SessionSettings.transactionStatements.map { sql throws(PostgresError) in
                PreparedCall(sql: sql, parameters: try EncodedParameters([]))
            } : []
        let mode = AttemptMode(
            isAlone: isAlone, mayCommit: transaction == nil, preambleCount: preamble.count)
        do throws(PostgresError) {
            return try await attempt(preamble + calls, mode, &deadline)
        } catch {
            // Outside a transaction block, the failed pipeline had no effect.
            guard error.isStalePlan, isAlone, !isClosed, deadline.interruption == nil else { throw error }
            return try await attempt(preamble + calls, mode, &deadline)
        }
    }

    private struct AttemptMode {
        /// True if no transaction block is open.
        let isAlone: Bool
        /// True if the statements commit when they succeed, by themselves or as a COMMIT.
        let mayCommit: Bool
        /// The number of leading statements that are not the caller's.
        let preambleCount: Int
    }

    private func attempt(
        _ calls: [PreparedCall], _ mode: AttemptMode, _ deadline: inout Deadline
    ) async throws(PostgresError) -> [PostgresResult] {
        var commands: [WireCommand] = []
        var prepared: [Int: (key: StatementCache.Key, name: String)] = [:]
        var fresh: [StatementCache.Key: String] = [:]
        for call in calls {
            let key = call.key
            if statements.isOff {
                commands.append(.query(sql: call.sql, call.parameters))
            } else if let name = statements.name(for: key) ?? fresh[key] {
                commands.append(.execute(name: name, call.parameters))
            } else {
                let name = statements.freshName()
                fresh[key] = name
                prepared[commands.count] = (key, name)
                commands.append(.prepare(name: name, sql: call.sql, types: call.parameters.types))
                commands.append(.execute(name: name, call.parameters))
            }
        }
        commands.append(.sync)
        let ownCommands = commands.count
        if mode.isAlone, !abandonedStatements.isEmpty {
            // These follow after their own sync: a failure here must not roll back the caller's work.
            commands += abandonedStatements.map { .deallocate(name: $0) } + [.sync]
            abandonedStatements = []
        }
        let session = session
        let outcomes = try await exchange(
            commands, own: ownCommands, mayCommit: mode.mayCommit, &deadline
        ).prefix(ownCommands)
        let isUnconfirmed = session?.takeUnconfirmedCommit() ?? false

        for (index, statement) in prepared {
            guard case .success = outcomes[index] else { continue }
            if let evicted = statements.insert(statement.key, name: statement.name) {
                abandonedStatements.append(evicted)
            }
        }
        if let (index, error) = outcomes.enumerated().lazy.compactMap({ index, outcome in
            outcome.failure.map { (index, $0) }
        }).first {
            if index < mode.preambleCount { throw .unusableSession(error) }
            if error.isStalePlan { forget(calls, serverForgot: error.sqlState == .invalidSQLStatementName) }
            throw error.sqlState == .queryCanceled ? deadline.interruption ?? error : error
        }
        if isUnconfirmed { throw .unconfirmedCommit }
        let results: [PostgresResult] = outcomes.enumerated().compactMap { index, outcome in
            if case .success(let result) = outcome, prepared[index] == nil { result } else { nil }
        }
        return Array(results.dropFirst(mode.preambleCount))
    }

    private func forget(_ calls: [PreparedCall], serverForgot: Bool) {
        for call in calls {
            if let name = statements.remove(call.key), !serverForgot { abandonedStatements.append(name) }
        }
    }

    static func check(sql: String) throws(PostgresError) {
        guard !sql.utf8.contains(0) else {
            throw PostgresError(.invalidParameter, detail: "the SQL contains a NUL character", nothingWasSent: true)
        }
    }
}

extension PostgresConnection {
    /// Sends `commands` and reads their outcomes at the same time, so that neither side waits for the other to read
    /// (libpq, "Pipeline Mode"). Each command has one outcome.
    /// - Parameter own: the number of commands that are the caller's, up to and including its sync. Once their outcomes
    ///   have arrived, a later failure of the connection does not concern the caller.
    /// - Throws: an error of unknown outcome if the commands may commit, and the sync was sent but not answered. An
    ///   error that rules out a commit has a known outcome.
    private func exchange(
        _ commands: [WireCommand], own: Int, mayCommit: Bool, _ deadline: inout Deadline
    ) async throws(PostgresError) -> [CommandOutcome] {
        guard isAlive(), let pointer = session?.pointer, PQenterPipelineMode(pointer) == 1 else {
            shutDown()
            throw .closed()
        }
        var answers = Answers(to: commands)
        var sent = 0
        do throws(PostgresError) {
            while answers.outcomes.count < commands.count || isCancelUnderWay {
                guard let session else { throw PostgresError(.connectionLost) }
                if let interruption = deadline.interruption, sent < commands.count {
                    // Continuing with a sync would commit the half that was sent.
                    shutDown()
                    throw interruption
                }
                let isBlocked = try send(commands, &sent, on: session)
                try collect(&answers, upTo: sent, from: session)
                if answers.outcomes.count < commands.count || isCancelUnderWay {
                    try await progress(&deadline, write: isBlocked)
                }
            }
        } catch {
            if answers.outcomes.count >= own {
                shutDown()
                return answers.outcomes
            }
            // A server error says more than the loss of the connection, and a non-fatal one rules out a commit.
            let failure = answers.firstFailure
            if let failure, !failure.isFatal { throw failure }
            throw mayCommit && sent >= own ? (failure ?? error).withUnknownOutcome : failure ?? error
        }
        if session.map({ PQexitPipelineMode($0.pointer) }) != 1 { shutDown() }
        return answers.outcomes
    }

    private struct Answers {
        let commands: [WireCommand]
        var outcomes: [CommandOutcome] = []
        /// The error of a commit. It arrives before the result of the sync that commits.
        var commitFailure: PostgresError?

        init(to commands: [WireCommand]) {
            self.commands = commands
            outcomes.reserveCapacity(commands.count)
        }

        var firstFailure: PostgresError? { outcomes.lazy.compactMap(\.failure).first ?? commitFailure }

        mutating func fail(_ error: PostgresError) {
            if case .sync = commands[outcomes.count] { commitFailure = error } else { outcomes.append(.failure(error)) }
        }

        mutating func synced() {
            outcomes.append(commitFailure.map { .failure($0) } ?? .synced)
            commitFailure = nil
        }
    }

    /// Sends as much as the socket accepts. Returns true if commands are left.
    private func send(
        _ commands: [WireCommand], _ sent: inout Int, on session: Session
    ) throws(PostgresError) -> Bool {
        var isBlocked = try flush(session)
        while !isBlocked, sent < commands.count {
            // libpq writes by itself when its buffer is full. A flush after each command would be a system call for
            // each.
            for command in commands[sent...].prefix(64) {
                guard command.send(on: session.pointer) else { throw broken(session) }
                sent += 1
            }
            isBlocked = try flush(session)
        }
        return isBlocked
    }

    private func collect(
        _ answers: inout Answers, upTo sent: Int, from session: Session
    ) throws(PostgresError) {
        var consecutiveEnds = 0
        while answers.outcomes.count < sent, PQisBusy(session.pointer) == 0 {
            guard let pointer = PQgetResult(session.pointer) else {
                // One nil ends each command's results. After more than that, libpq expects no more results.
                consecutiveEnds += 1
                guard consecutiveEnds < 3 else { throw broken(session) }
                continue
            }
            consecutiveEnds = 0
            let result = PostgresResult(pointer)
            switch PQresultStatus(pointer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: answers.outcomes.append(.success(result))
            case PGRES_PIPELINE_ABORTED: answers.outcomes.append(.skipped)
            case PGRES_PIPELINE_SYNC: answers.synced()
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: throw copyRefused()
            default: answers.fail(PostgresError(result: pointer))
            }
        }
    }

    /// Returns true if the socket accepts no more data for now.
    func flush(_ session: Session) throws(PostgresError) -> Bool {
        switch PQflush(session.pointer) {
        case 0: return false
        case 1: return true
        default: throw broken(session)
        }
    }

    func broken(_ session: Session) -> PostgresError {
        let error = session.finalError()
        shutDown()
        return error
    }

    /// Closes the connection, because libpq cannot continue after a COPY that it does not support here.
    func copyRefused() -> PostgresError {
        shutDown()
        return PostgresError(.invalidParameter, detail: "COPY is supported by copyIn and copyOut only")
    }
}
