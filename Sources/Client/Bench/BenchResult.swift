internal import Core

/// What one operation did in one part of a load test.
package struct BenchResult: Sendable {
    package let operation: BenchPlan.Operation
    /// Bytes of each file.
    package let byteCount: Int64
    package let concurrency: Int
    /// How long the part took.
    package let duration: Duration
    /// Operations that succeeded.
    package let latencies: LatencyHistogram
    /// How often each failure was seen.
    package let failures: [String: Int]

    private static let percentiles: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999),
    ]

    package var failureCount: Int { failures.values.reduce(0, +) }
    private var seconds: Double { max(Double(duration.nanoseconds) / 1e9, 1e-9) }
    package var operationsPerSecond: Double { Double(latencies.count) / seconds }
    package var bytesPerSecond: Double { operationsPerSecond * Double(byteCount) }

    static let header = ["SIZE", "OPERATION", "COUNT", "FAILED", "PER SECOND", "BYTES/S", "MEAN", "P50", "P90", "P99", "P99.9", "MAX"]

    var row: [String] {
        [
            formatBytes(byteCount), operation.rawValue, "\(latencies.count)", "\(failureCount)", fixed(operationsPerSecond),
            formatBytes(Int64(bytesPerSecond)), Self.cell(latencies.mean), Self.cell(latencies.percentile(0.5)),
            Self.cell(latencies.percentile(0.9)), Self.cell(latencies.percentile(0.99)), Self.cell(latencies.percentile(0.999)),
            Self.cell(latencies.maximum),
        ]
    }

    var json: JSONValue {
        let percentiles = Self.percentiles.map { (key: $0.name, value: Self.json(latencies.percentile($0.share))) }
        return [
            "operation": .string(operation.rawValue), "size": .integer(byteCount), "concurrency": .integer(Int64(concurrency)),
            "seconds": .double(seconds), "count": .integer(Int64(latencies.count)), "failed": .integer(Int64(failureCount)),
            "operationsPerSecond": .double(operationsPerSecond), "bytesPerSecond": .double(bytesPerSecond),
            "latencySeconds": .object(
                [(key: "mean", value: Self.json(latencies.mean))] + percentiles + [(key: "max", value: Self.json(latencies.maximum))]),
        ]
    }

    private static func json(_ seconds: Double?) -> JSONValue { seconds.map { .double($0) } ?? .null }

    private static func cell(_ seconds: Double?) -> String {
        guard let seconds else { return "-" }
        return seconds < 1 ? "\(fixed(seconds * 1_000)) ms" : "\(fixed(seconds)) s"
    }
}

/// Three digits or more: `0.42`, `12.3`, `1234`.
func fixed(_ value: Double) -> String {
    if value >= 99.95 { return "\(Int64(value.rounded()))" }
    let scale: Int64 = value >= 9.995 ? 10 : 100
    let whole = Int64((value * Double(scale)).rounded())
    let fraction = "\(whole % scale)"
    return "\(whole / scale)." + (scale == 100 && fraction.count < 2 ? "0" : "") + fraction
}
