/// What a reader of a metric must know.
public struct MetricDescription: Hashable, Sendable {
    /// After Prometheus' conventions: base units, `_total` at the end of counters.
    public let name: String
    public let help: String
    /// Upper bounds of a histogram's buckets, ascending; empty for what is no histogram.
    public let buckets: [Double]
    /// Sets of labels at most. What comes after is counted together, under labels that say so: a mistake in a label must not fill the
    /// memory.
    public let childLimit: Int

    public static let standardChildLimit = 1_000

    public init(_ name: String, _ help: String, buckets: [Double] = [], childLimit: Int = standardChildLimit) {
        self.name = name
        self.help = help
        self.buckets = buckets
        self.childLimit = childLimit
    }

    /// Seconds, from what memory answers to what a client gives up on.
    public static let latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
    /// Counts of things that are taken together.
    public static let countBuckets: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
}

/// What kind of samples a metric has.
enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}
