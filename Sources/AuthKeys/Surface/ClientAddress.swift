/// Where a request comes from, among the addresses that `X-Forwarded-For` and the connection tell.
public enum ClientAddress {
    /// An address as proxies write it: some add a port, and then put one of version 6 in brackets.
    public static func parse(_ text: some StringProtocol) -> IPAddress? {
        if let address = IPAddress(text) { return address }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return IPAddress(text[text.index(after: text.startIndex)..<end])
        }
        return text.firstIndex(of: ":").flatMap { IPAddress(text[..<$0]) }
    }

    /// The addresses that the values of `X-Forwarded-For` name, in their order; nil for what is none.
    public static func chain(_ values: [String]) -> [IPAddress?] {
        values.flatMap { value in
            value.split(separator: ",", omittingEmptySubsequences: false).map { element in
                parse(element.filter { $0 != " " && $0 != "\t" })
            }
        }
    }

    /// The last address before the trusted proxies. Nil if that is not known.
    /// - Parameter chain: the addresses that a request came through, the nearest last; nil for what is none.
    public static func last(of chain: [IPAddress?], before proxies: [IPNetwork]) -> IPAddress? {
        for address in chain.reversed() {
            guard let address else { return nil }
            if !proxies.contains(where: { $0.contains(address) }) { return address }
        }
        return chain.first ?? nil
    }
}
