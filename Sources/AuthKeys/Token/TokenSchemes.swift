import Synchronization

/// The schemes that an instance knows. Schemes come, and do not go: one that nothing was imported under costs a hash of the
/// tokens that look like its.
public final class TokenSchemes: Sendable {
    /// How many there may be: so many hashes a malformed token may cost.
    public static let limit = 32

    private final class Table: Sendable {
        /// The longest prefix first, which is the one a token most likely belongs to.
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
    /// Every table that there was, so that whoever reads one needs no lock to keep it. There are never more than schemes.
    private let tables: Mutex<[Table]>

    public init() {
        let empty = Table([])
        current = Atomic(Unmanaged.passUnretained(empty))
        tables = Mutex([empty])
    }

    public var all: [TokenScheme] { current.load(ordering: .acquiring).takeUnretainedValue().schemes }

    /// Whether no token of another form than Keyward's can be known.
    @inline(__always)
    var isEmpty: Bool { !hasAny.load(ordering: .acquiring) }

    /// Takes in those that are new.
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

    /// Calls `body` with each place where a token may be.
    @inline(__always)
    func forEachAddress(of token: UnsafeRawBufferPointer, _ body: (SecretDigest) -> Void) {
        let schemes = all
        guard !schemes.isEmpty, TokenScheme.mayBeToken(token) else { return }
        for scheme in schemes {
            if let address = scheme.address(of: token) { body(address) }
        }
    }
}
