public import AuthKeys
public import LibPQ

/// Levels, credits, slots and definitions in PostgreSQL.
public struct PostgresLimitStore: LimitStore {
    /// The timeout of a call, with the wait for the connection. Later, an instance counts as cut off from the others.
    private static let timeout = Duration.seconds(1)
    /// The timeout of a statement that deletes rows: it reads the whole table.
    private static let pruneTimeout = Duration.seconds(120)
    /// The maximum number of statements of one clean-up.
    private static let pruneRounds = 100

    private let pool: PostgresPool

    /// - Parameter pool: connections for this store alone, so that neither lookups nor reads of the changes wait.
    public init(pool: PostgresPool) {
        self.pool = pool
    }

    public func settle(_ questions: [LimitQuestion]) async throws(StoreError) -> [LimitAnswer] {
        var statements: [PostgresStatement] = []
        for kind in [LevelKind.rate, .quota] {
            let asked = questions.filter { $0.kind == kind }
            if asked.isEmpty { continue }
            let new = asked.filter { !$0.isKnown }
            if !new.isEmpty { statements.append(PostgresStatement(LimitSQL.insert(kind), [Self.ids(new.map(\.id))])) }
            func numbers(_ number: (LimitQuestion) -> Double) -> PostgresParameter {
                .doubleArray(asked.map { Self.bounded(number($0)) })
            }
            statements.append(
                PostgresStatement(
                    LimitSQL.settle(kind),
                    [
                        Self.ids(asked.map(\.id)), .textArray(asked.map { $0.period?.name }), numbers(\.rate),
                        numbers(\.burst), numbers(\.tau), numbers(\.debit), numbers(\.want), numbers(\.asked),
                        numbers(\.demand),
                    ]))
        }
        if statements.isEmpty { return [] }
        return try await attempt(isChange: true) { [statements] in
            try await pool.pipeline(statements, timeout: Self.timeout).flatMap { result in
                try result.rows.map { try $0.read(LimitAnswer.init(row:)) }
            }
        }
    }

    public func leaseCredits(_ questions: [CreditQuestion]) async throws(StoreError) -> [CreditAnswer] {
        let answers = try await attempt(isChange: true) {
            try await pool.query(
                CreditSQL.lease,
                [
                    .uuidArray(questions.map { PostgresUUID($0.key) }), .int64Array(questions.map(\.debit)),
                    .int64Array(questions.map(\.want)), .int64Array(questions.map(\.needed)),
                    .doubleArray(questions.map { Self.bounded($0.share) }),
                ], timeout: Self.timeout
            ).rows.map { try $0.read(CreditAnswer.init(row:)) }
        }
        // A key without a row has no credits left.
        let answered = Set(answers.map(\.key))
        return answers
            + questions.filter { !answered.contains($0.key) }.map {
                CreditAnswer(key: $0.key, granted: 0, remaining: 0, refillsIn: nil)
            }
    }

    public func renewSlots(
        _ questions: [SlotQuestion], of instance: KeyID
    ) async throws(StoreError) -> [SlotAnswer] {
        try await attempt(isChange: true) {
            let ids = Self.ids(questions.map(\.id))
            let results = try await pool.pipeline(
                [
                    PostgresStatement(LimitSQL.holdSlots, [ids]),
                    PostgresStatement(
                        LimitSQL.renewSlots,
                        [
                            ids, .int64Array(questions.map(\.limit)), .int64Array(questions.map(\.want)),
                            .uuid(PostgresUUID(instance)),
                        ]),
                ], timeout: Self.timeout)
            return try results.last?.rows.map { try $0.read(SlotAnswer.init(row:)) } ?? []
        }
    }

    public func definitions(unless known: KeyID?) async throws(StoreError) -> LimitDefinitions? {
        try await attempt {
            if let known, try await revision() == known { return nil }
            // One transaction: a value that is read before the definitions is never newer than they are.
            let results = try await pool.pipeline(
                [
                    PostgresStatement(LimitSQL.revision), PostgresStatement(LimitSQL.plans),
                    PostgresStatement(LimitSQL.owners),
                ], timeout: Self.timeout)
            guard results.count == 3 else { throw StoreError(.failed, detail: "a definition of limits is missing") }
            let definitions = try results[1...].map { result in
                try result.rows.map { SharedDefinition(try $0.text(0), limits: LimitText.limits(try $0.text(1))) }
            }
            return LimitDefinitions(
                plans: definitions[0], owners: definitions[1], revision: try Self.revision(in: results[0]))
        }
    }

    private func revision() async throws -> KeyID? {
        try Self.revision(in: try await pool.query(LimitSQL.revision, [], timeout: Self.timeout))
    }

    private static func revision(in result: PostgresResult) throws -> KeyID? {
        try result.rows.first?.read { row throws(PostgresError) in try row.nextID() }
    }

    public func prune() async throws(StoreError) {
        for sql in [LimitSQL.prune(.rate), LimitSQL.prune(.quota), LimitSQL.pruneSlots] {
            for _ in 0..<Self.pruneRounds {
                let deleted = try await attempt {
                    try await pool.query(sql, [], timeout: Self.pruneTimeout).affectedRows
                }
                if deleted < LimitSQL.pruneLimit { break }
            }
        }
    }

    private static func ids(_ ids: [LimitID]) -> PostgresParameter {
        .uuidArray(ids.map { PostgresUUID(high: $0.high, low: $0.low) })
    }

    /// Returns a number that PostgreSQL calculates with. It refuses results that are too large or too small for
    /// `double precision`.
    private static func bounded(_ number: Double) -> Double {
        guard number.isFinite, abs(number) >= 1e-9 else { return 0 }
        return min(max(number, -1e15), 1e15)
    }

    /// - Parameter isChange: true if a lost response leaves open whether units were taken.
    private func attempt<R: Sendable>(
        isChange: Bool = false, _ body: @Sendable () async throws -> R
    ) async throws(StoreError) -> R {
        do { return try await body() } catch { throw StoreError(error, isChange: isChange) }
    }
}

extension LimitAnswer {
    /// Reads a row of `LimitSQL.settle`.
    fileprivate init(row: inout RowCursor) throws(PostgresError) {
        let id = try row.nextUuid()
        self.init(
            id: LimitID(high: id.high, low: id.low), granted: try row.nextDouble(), available: try row.nextDouble(),
            share: try row.nextDouble(), periodEnds: try row.nextOptionalDouble())
    }
}

extension CreditAnswer {
    /// Reads a row of `CreditSQL.lease`.
    fileprivate init(row: inout RowCursor) throws(PostgresError) {
        self.init(
            key: try row.nextID(), granted: try row.nextInt64(), remaining: try row.nextInt64(),
            refillsIn: try row.nextOptionalDouble())
    }
}

extension SlotAnswer {
    /// Reads a row of `LimitSQL.renewSlots`.
    fileprivate init(row: inout RowCursor) throws(PostgresError) {
        let id = try row.nextUuid()
        self.init(
            id: LimitID(high: id.high, low: id.low), granted: try row.nextInt64(), others: try row.nextInt64())
    }
}
