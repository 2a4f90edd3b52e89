import AuthKeys

/// The account that a request counts against: its key, or the client's network if the request needs no key (a
/// preflight).
struct Account: Hashable {
    private let high: UInt64
    private let low: UInt64
    private let isKey: Bool

    /// The account of clients without an address.
    static let unknown = Account(network: nil)

    init(key: KeyID) {
        (high, low, isKey) = (key.high, key.low, true)
    }

    /// An account of a network: an IPv4 address, or the /64 of an IPv6 address, the smallest block that a site gets
    /// (RFC 6177 section 2). All clients without an address share one account.
    init(network address: IPAddress?) {
        let bytes = address?.bytes.prefix(8) ?? []
        (high, low, isKey) = (bytes.reduce(0) { $0 << 8 | UInt64($1) }, UInt64(bytes.count), false)
    }

    /// A number that spreads accounts over tables. The low half of a key's identifier is random.
    var spread: UInt64 { high ^ low }

    func hash(into hasher: inout Hasher) {
        hasher.combine(spread)
    }
}
