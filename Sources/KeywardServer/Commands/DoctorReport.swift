/// The lines of `keyward doctor`, printed as they come.
struct DoctorReport {
    private(set) var failures = 0

    func pass(_ check: String, _ detail: String) {
        Console.out("ok    \(check): \(detail)")
    }

    /// Something to look at that does not keep `serve` from working.
    func warn(_ check: String, _ detail: String) {
        Console.out("warn  \(check): \(detail)")
    }

    mutating func fail(_ check: String, _ detail: String) {
        failures += 1
        Console.out("FAIL  \(check): \(detail)")
    }
}
