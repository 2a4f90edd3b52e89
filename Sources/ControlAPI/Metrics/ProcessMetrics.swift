import AuthKeys
import Glibc

/// The metrics of the process, under the names of Prometheus' client libraries. A metric is omitted if the system does
/// not provide its value.
enum ProcessMetrics {
    /// The start time of the process according to the system; otherwise the time of the first read.
    static let startedAt: Timestamp = startTime ?? .now

    static func add(to registry: PrometheusRegistry) {
        registry.gauge("keyward_build_info", labels: [("version", KeywardVersion.current)]) { 1 }
        registry.gauge("process_start_time_seconds") { Double(startedAt.microseconds) / 1e6 }
        registry.counter("process_cpu_seconds_total") { cpuTime }
        registry.gauge("process_resident_memory_bytes") {
            // The second field of statm is the resident set in pages (proc(5)).
            fields("/proc/self/statm")?.dropFirst().first.flatMap { Double($0) }.map {
                $0 * Double(sysconf(Int32(_SC_PAGESIZE)))
            }
        }
        registry.gauge("process_open_fds") { openDescriptors }
        registry.gauge("process_max_fds") {
            var limit = rlimit()
            return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? Double(limit.rlim_cur) : nil
        }
    }

    private static var openDescriptors: Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        // Corrects the count for `.`, `..`, and the descriptor that reads the folder.
        var count = -3.0
        while readdir(folder) != nil { count += 1 }
        return count
    }

    /// The start time of the process. The 22nd field of `stat` is the start in clock ticks since the boot (proc(5)).
    /// The second field, the name in parentheses, may contain spaces.
    private static var startTime: Timestamp? {
        guard let fields = statFields, fields.count > 19, let ticks = Double(fields[19]),
            let sinceBoot = Self.fields("/proc/uptime")?.first.flatMap({ Double($0) })
        else { return nil }
        return Timestamp.now.advanced(by: .zero - .seconds(sinceBoot - ticks / ticksPerSecond))
    }

    /// The CPU time of user and system, in seconds.
    private static var cpuTime: Double? {
        guard let fields = statFields, fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { return nil }
        return (user + system) / ticksPerSecond
    }

    private static var statFields: [Substring]? {
        text("/proc/self/stat")?.split(separator: ")").last?.split(separator: " ")
    }

    private static let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))

    private static func fields(_ path: String) -> [Substring]? { text(path)?.split(separator: " ") }

    /// Returns the beginning of a system file, which has no size.
    private static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
