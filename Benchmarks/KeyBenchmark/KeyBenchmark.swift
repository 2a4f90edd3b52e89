import Glibc

/// The commands `KeyBenchmark verify [keys …]`, `load [keys]`, `traffic [keys …]`, `limits [keys …]` and
/// `requestlog [lines]`; see Benchmarks/README.md.
@main
enum KeyBenchmark {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let counts = arguments.dropFirst().compactMap { Int($0) }
        switch arguments.first {
        case "verify", nil: VerifyBenchmark.run(counts.isEmpty ? [1, 1_000_000, 10_000_000] : counts)
        case "load": try await LoadBenchmark.run(counts.first ?? 1_000_000)
        case "traffic": TrafficBenchmark.run(counts.isEmpty ? [1, 1_000, 100_000] : counts)
        case "limits": LimitBenchmark.run(counts.isEmpty ? [1, 100_000] : counts)
        case "requestlog": try await RequestLogBenchmark.run(counts.first ?? 2_000_000)
        default:
            print(
                "usage: KeyBenchmark verify [keys ...] | load [keys] | traffic [keys ...] | limits [keys ...] "
                    + "| requestlog [lines]")
            exit(64)
        }
    }

    static func median(_ values: [Double]) -> Double {
        values.sorted()[values.count / 2]
    }

    /// The resident memory of this process in bytes.
    static var resident: Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}

extension String {
    func leftPadded(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}

func rounded(_ value: Double, _ digits: Int = 0) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    if digits == 0 { return "\(scaled)" }
    let fraction = "\(scaled % Int(scale))"
    return "\(scaled / Int(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}
