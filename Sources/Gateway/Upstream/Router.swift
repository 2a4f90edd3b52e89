import NIOCore

/// The selection of a request's route: the one with the longest prefix of whole path segments.
struct Router<Destination> {
    private let routes: [(prefix: [UInt8], destination: Destination)]

    init(_ routes: [(prefix: String, destination: Destination)]) {
        self.routes = routes.map { (Array($0.prefix.utf8), $0.destination) }
            .sorted { $0.prefix.count > $1.prefix.count }
    }

    var destinations: [Destination] { routes.map(\.destination) }

    /// Returns the destination of a path with its query; nil if no route matches.
    @inline(__always)
    func destination(of path: UnsafeRawBufferPointer) -> Destination? {
        for route in routes where Self.begins(path, with: route.prefix) { return route.destination }
        return nil
    }

    private static func begins(_ path: UnsafeRawBufferPointer, with prefix: [UInt8]) -> Bool {
        if prefix.isEmpty { return true }
        guard path.count >= prefix.count, path.prefix(prefix.count).elementsEqual(prefix) else { return false }
        guard path.count > prefix.count else { return true }
        return path[prefix.count] == ByteClass.slash || path[prefix.count] == UInt8(ascii: "?")
    }
}
