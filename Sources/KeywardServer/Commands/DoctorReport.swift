import ArgumentParser

/// The lines of `keyward doctor`, each printed at once.
struct DoctorReport {
    private(set) var failures = 0
    /// The first failure to write a line; nil if there was none.
    private var outputError: OutputError?

    mutating func pass(_ check: String, _ detail: String) {
        write("ok    \(check): \(detail)")
    }

    /// Reports a problem that does not prevent `serve` from starting.
    mutating func warn(_ check: String, _ detail: String) {
        write("warn  \(check): \(detail)")
    }

    mutating func fail(_ check: String, _ detail: String) {
        failures += 1
        write("FAIL  \(check): \(detail)")
    }

    private mutating func write(_ line: String) {
        guard outputError == nil else { return }
        do { try Console.out(line) } catch { outputError = error }
    }

    /// Throws if a line could not be written or a check failed.
    func finish() throws {
        if let outputError { throw outputError }
        if failures > 0 { throw ExitCode.failure }
    }
}
