import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// The figures of the process itself, by the names that Prometheus' own clients use.
public enum ProcessMetrics {
    public static let descriptions = [
        MetricDescription("process_cpu_seconds_total", "User and system CPU time of the process."),
        MetricDescription("process_resident_memory_bytes", "Memory of the process that is in RAM."),
        MetricDescription("process_virtual_memory_bytes", "Address space of the process."),
        MetricDescription("process_open_fds", "Open file descriptors."),
        MetricDescription("process_max_fds", "The most file descriptors that may be open."),
        MetricDescription("process_threads", "Threads of the process."),
        MetricDescription("process_start_time_seconds", "When the process started, in seconds since 1970."),
    ]

    /// Brings the figures up to date, as far as the system tells them.
    @Sendable public static func collect(into registry: MetricsRegistry) {
        guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8), let end = stat.lastIndex(of: ")") else { return }
        // Fields are counted from the third, which follows the name in parentheses: proc(5).
        let fields = stat[stat.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
        guard fields.count > 21 else { return }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        registry.setCounter("process_cpu_seconds_total", to: (fields[11] + fields[12]) / ticks)
        registry.set("process_threads", to: fields[17])
        registry.set("process_virtual_memory_bytes", to: fields[20])
        registry.set("process_resident_memory_bytes", to: fields[21] * Double(sysconf(Int32(_SC_PAGESIZE))))
        if let bootTime = bootTime() { registry.set("process_start_time_seconds", to: bootTime + fields[19] / ticks) }
        if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            registry.set("process_open_fds", to: Double(open.count))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            registry.set("process_max_fds", to: Double(limit.rlim_cur))
        }
    }

    private static func bootTime() -> Double? {
        guard let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8),
            let line = stat.split(separator: "\n").first(where: { $0.hasPrefix("btime ") })
        else { return nil }
        return Double(line.dropFirst(6))
    }
}
