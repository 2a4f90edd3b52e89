import ArgumentParser

/// The lines of `keyward doctor`, printed as they come.
struct DoctorReport {
    private(set) var failures = 0
    /// Nil while every line could be written.
    private var outputError: OutputError?

    mutating func pass(_ check: String, _ detail: String) {
        write("ok    \(check): \(detail)")
    }

    /// Something to look at that does not keep `serve` from working.
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

    /// Throws when a line could not be written or a check failed.
    func finish() throws {
        if let outputError { throw outputError }
        if failures > 0 { throw ExitCode.failure }
    }
}
