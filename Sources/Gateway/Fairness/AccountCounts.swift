import Synchronization

/// The number of requests in flight of each account, over all event loops.
///
/// Accounts are spread over several tables. Each table has its own lock, which is held for one lookup.
final class AccountCounts: Sendable {
    private final class Table: Sendable {
        let counts = Mutex<[Account: Int]>([:])
    }

    private let tables = (0..<64).map { _ in Table() }

    /// Counts a request. Returns false if `limit` requests of the account are in flight already.
    func begin(_ account: Account, limit: Int) -> Bool {
        table(of: account).counts.withLock { counts in
            let count = counts[account] ?? 0
            guard count < limit else { return false }
            counts[account] = count + 1
            return true
        }
    }

    func end(_ account: Account) {
        table(of: account).counts.withLock { counts in
            let count = (counts[account] ?? 1) - 1
            counts[account] = count == 0 ? nil : count
        }
    }

    private func table(of account: Account) -> Table {
        tables[Int(account.spread % UInt64(tables.count))]
    }
}
