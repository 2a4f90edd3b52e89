import Synchronization

/// The schemes that an instance knows. Schemes are added and never removed; an unused one costs a hash of each token
/// with its prefix.
public final class TokenSchemes: Sendable {
    /// The maximum number of schemes, which is also the maximum number of hashes for a malformed token.
    public static let limit = 32

    private final class Table: Sendable {
        /// Sorted by descending length of prefix, so that the most specific scheme comes first.
        let schemes: [TokenScheme]

        init(_ schemes: some Sequence<TokenScheme>) {
            self.schemes = schemes.sorted { left, right in
                let (this, other) = (left.prefix.utf8.count, right.prefix.utf8.count)
                if this != other { return this > other }
                return (left.prefix, left.algorithm.rawValue, left.part.rawValue)
                    < (right.prefix, right.algorithm.rawValue, right.part.rawValue)
            }
        }
    }

    private let current: Atomic<Unmanaged<Table>>
    private let hasAny = Atomic(false)
    /// All tables that ever existed, so that readers keep a table without a lock. There are at most as many tables as
    /// schemes.
    private let tables: Mutex<[Table]>

    public init() {
        let empty = Table([])
        current = Atomic(Unmanaged.passUnretained(empty))
        tables = Mutex([empty])
    }

    public var all: [TokenScheme] { current.load(ordering: .acquiring).takeUnretainedValue().schemes }

    /// True if there is no scheme, so that only tokens of Keyward's own format can be known.
    @inline(__always)
    var isEmpty: Bool { !hasAny.load(ordering: .acquiring) }

    /// Adds the schemes that are new.
    public func add(_ schemes: some Sequence<TokenScheme>) {
        tables.withLock { tables in
            let known = Set(tables.last?.schemes ?? [])
            let wanted = known.union(schemes)
            guard wanted.count > known.count else { return }
            let table = Table(wanted)
            tables.append(table)
            current.store(Unmanaged.passUnretained(table), ordering: .releasing)
            hasAny.store(true, ordering: .releasing)
        }
    }

    /// Calls `body` with each address that a token may have.
    @inline(__always)
    func forEachDigest(of token: UnsafeRawBufferPointer, _ body: (SecretDigest) -> Void) {
        let schemes = all
        guard !schemes.isEmpty, TokenScheme.mayBeToken(token) else { return }
        for scheme in schemes {
            if let address = scheme.address(of: token) { body(address) }
        }
    }
}
