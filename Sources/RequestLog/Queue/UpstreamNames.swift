import Synchronization

/// The names of upstreams, numbered from 1 in this process, so that a line holds a number instead of a text.
public final class UpstreamNames: Sendable {
    private let names = Mutex<[String]>([])

    public init() {}

    /// Returns the number of a name; 0 if there are too many names.
    public func number(of name: String) -> UInt16 {
        names.withLock { names in
            if let index = names.firstIndex(of: name) { return UInt16(index + 1) }
            guard names.count < Int(UInt16.max) else { return 0 }
            names.append(name)
            return UInt16(names.count)
        }
    }

    /// Returns the name of a number; nil for 0.
    public func name(_ number: UInt16) -> String? {
        names.withLock { names in number == 0 || Int(number) > names.count ? nil : names[Int(number) - 1] }
    }
}
