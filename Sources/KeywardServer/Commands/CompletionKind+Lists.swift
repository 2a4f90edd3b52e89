import ArgumentParser

/// Values that shells offer for several options.
extension CompletionKind {
    static let methods = CompletionKind.list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    static let booleans = CompletionKind.list(["true", "false"])
}
