internal import Core
internal import CoreMetrics

/// What writing costs, of all stores of the process.
enum StoreMetrics {
    /// Fragments and deletions that shared one commit.
    static let batchSize = Recorder(label: "chunkflow_store_commit_records")
    /// From the first write of a batch to the moment when it is durable.
    static let commitTime = Timer(label: "chunkflow_store_commit_duration_seconds")
    static let syncTime = Timer(label: "chunkflow_store_sync_duration_seconds")
    static let corruptFragments = Counter(label: "chunkflow_store_corrupt_fragments_total")
    static let readErrors = Counter(label: "chunkflow_disk_errors_total", dimensions: [("operation", "read")])
    static let writeErrors = Counter(label: "chunkflow_disk_errors_total", dimensions: [("operation", "write")])
    static let flushErrors = Counter(label: "chunkflow_disk_errors_total", dimensions: [("operation", "flush")])

    /// Makes all of them, so that what has not happened yet is told as 0.
    static func prepare() { _ = (batchSize, commitTime, syncTime, corruptFragments) }

    /// The system's, not the store's: what a disk took has no virtual time. Nothing is decided by it (docs/architecture.md).
    private static let clock = SystemTime()

    static func measure<Value>(_ timer: Timer, _ body: () throws -> Value) rethrows -> Value {
        let start = clock.monotonicNow()
        defer { timer.recordNanoseconds((clock.monotonicNow() - start).nanoseconds) }
        return try body()
    }
}
