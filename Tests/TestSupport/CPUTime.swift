import Glibc

/// Times that a thread or a process took from the processors, whatever else the machine does.
package enum CPUTime {
    /// Returns the least time that the current thread takes for some work, of several runs.
    package static func least(of runs: Int = 3, _ body: () throws -> Void) rethrows -> Duration {
        var least = Duration.seconds(3_600)
        for _ in 0..<runs {
            let start = read(CLOCK_THREAD_CPUTIME_ID)
            try body()
            least = min(least, read(CLOCK_THREAD_CPUTIME_ID) - start)
        }
        return least
    }

    /// Returns the time that all threads of another process took since its start.
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
