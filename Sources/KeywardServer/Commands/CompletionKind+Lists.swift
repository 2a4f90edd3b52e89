import ArgumentParser

/// Completion values that several options share.
extension CompletionKind {
    static let methods = CompletionKind.list(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
}
