/// A pattern of requests such as `POST /v1/images/**`: a method or `*`, a blank, and a path pattern (`PathPattern`).
public struct RequestPattern: Sendable, Hashable {
    /// Nil for any method.
    let method: [UInt8]?
    let path: [UInt8]

    /// Returns nil unless the text has that form.
    public init?(_ text: some StringProtocol) {
        guard let blank = text.firstIndex(of: " ") else { return nil }
        let name = text[..<blank]
        guard let pattern = PathPattern(text[text.index(after: blank)...]) else { return nil }
        if name == "*" {
            method = nil
        } else {
            guard let name = MethodName.checked(String(name)) else { return nil }
            method = Array(name.utf8)
        }
        path = Array(pattern.text.utf8)
    }

    /// The pattern as text, with the method in capitals.
    public var text: String {
        "\(method.map { String(decoding: $0, as: UTF8.self) } ?? "*") \(String(decoding: path, as: UTF8.self))"
    }

    /// Returns true if the method differs from the pattern's in case alone.
    func isMiscased(_ method: UnsafeRawBufferPointer) -> Bool {
        self.method.map { MethodName.isMiscased(method, from: $0) } ?? false
    }

    /// - Parameter path: an unambiguous path (`PathPattern.unambiguous`).
    func matches(method: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer) -> Bool {
        (self.method.map { $0.withUnsafeBytes { MethodName.covers($0, method) } } ?? true)
            && self.path.withUnsafeBytes { PathPattern.matches($0, path) }
    }
}
