import FoundationEssentials
import Gateway

extension Upstream {
    /// Parses `http[s]://host[:port][/path]`. Returns nil for other texts, and for URLs with a user, query or fragment,
    /// which would be lost silently.
    init?(url text: String) {
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let host = url.host,
            !host.isEmpty, url.user == nil, url.password == nil, url.query == nil, url.fragment == nil,
            url.percentEncodedPath.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
            !url.percentEncodedPath.split(separator: "/").contains(where: { $0 == "." || $0 == ".." })
        else { return nil }
        let isSecure = scheme == "https"
        let port = url.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port) else { return nil }
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.init(host: bare, port: port, isSecure: isSecure, basePath: url.percentEncodedPath)
    }
}
