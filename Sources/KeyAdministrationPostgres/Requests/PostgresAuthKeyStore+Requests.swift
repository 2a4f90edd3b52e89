public import AuthKeys
import AuthKeysPostgres
public import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore: RequestLogReader {
    public func search(
        _ query: RequestQuery, in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> SearchPage {
        try await attempt {
            var query = query
            guard scope.limit(&query.owner) else { return SearchPage(lines: []) }
            let search = RequestSearch(query: query, scope: scope, budget: budget, pool: self.pool)
            return try await search.run()
        }
    }

    public func positions(
        _ query: RequestQuery, in scope: OwnerScope, since start: Timestamp, limit: Int, budget: Duration
    ) async throws(StoreError) -> [RequestCursor] {
        try await attempt {
            var query = query
            guard scope.limit(&query.owner) else { return [] }
            let statement = RequestSQL.positions(query, RequestSQL.Range(start: start), limit: limit)
            return try await self.pool.pipeline([ListSQL.planning, statement], timeout: budget).last?.rows.map {
                try $0.read(RequestCursor.init(row:))
            } ?? []
        }
    }

    public func lines(
        at positions: [RequestCursor], in scope: OwnerScope, budget: Duration
    ) async throws(StoreError) -> [LoggedRequest] {
        guard let statement = RequestSQL.lines(at: positions, in: scope) else { return [] }
        return try await attempt {
            try await self.pool.pipeline([ListSQL.planning, statement], timeout: budget).last?.rows.map {
                try $0.read(LoggedRequest.init(row:))
            } ?? []
        }
    }
}
