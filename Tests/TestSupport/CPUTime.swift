import Glibc

/// CPU times of a thread or a process, independent of other load on the machine.
package enum CPUTime {
    /// Returns the least CPU time that the current thread needs for the work, of three runs.
    package static func least(_ body: () throws -> Void) rethrows -> Duration {
        var least = Duration.seconds(3_600)
        for _ in 0..<3 {
            let start = read(CLOCK_THREAD_CPUTIME_ID)
            try body()
            least = min(least, read(CLOCK_THREAD_CPUTIME_ID) - start)
        }
        return least
    }

    /// Returns the CPU time that all threads of another process have used since its start.
    package static func ofProcess(_ id: Int32) -> Duration {
        var clock = clockid_t()
        return clock_getcpuclockid(id, &clock) == 0 ? read(clock) : .zero
    }

    private static func read(_ clock: clockid_t) -> Duration {
        var time = timespec()
        clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
