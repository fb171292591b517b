internal import Core
internal import CoreMetrics

/// What commits to the metadata cost.
enum MetadataMetrics {
    static let commitTime = Timer(label: "chunkflow_metadata_commit_duration_seconds")
    /// Requests that shared one transaction.
    static let batchSize = Recorder(label: "chunkflow_metadata_commit_requests")

    /// Makes all of them, so that what has not happened yet is told as 0.
    static func prepare() { _ = (commitTime, batchSize) }

    /// The system's, not the store's: what a disk took has no virtual time. Nothing is decided by it (docs/architecture.md).
    private static let clock = SystemTime()

    static func measure<Value>(_ timer: Timer, _ body: () throws -> Value) rethrows -> Value {
        let start = clock.monotonicNow()
        defer { timer.recordNanoseconds((clock.monotonicNow() - start).nanoseconds) }
        return try body()
    }
}
